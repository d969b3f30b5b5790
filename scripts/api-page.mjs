const order = ["class", "function", "constant", "interface", "type"];
const titles = {
  class: "Classes",
  function: "Functions",
  constant: "Constants",
  interface: "Interfaces",
  type: "Types",
};

/** Everything that one entry exports. */
export function apiPage({ specifier, exports }) {
  const names = new Set(exports.map(({ name }) => name));
  const parts = order.flatMap((kind) => {
    const some = exports.filter((exported) => exported.kind === kind);
    if (some.length === 0) return [];
    return [`## ${titles[kind]}`].concat(some.map((exported) => section(exported, names)));
  });
  const note = "Written by `npm run docs:api` from the docstrings.";
  return [`# ${specifier}`, note, contents(exports), ...parts].join("\n\n") + "\n";
}

export function indexPage(pages, version) {
  const rows = pages.map(({ file, specifier, exports }) => {
    return `| [${specifier}](${file}) | ${exports.length} |`;
  });
  const note = `Of heddle ${version}; written by \`npm run docs:api\` from the docstrings.`;
  return [`# API reference`, note, ["| entry | exports |", "|---|---|", ...rows].join("\n")]
    .join("\n\n")
    .concat("\n");
}

function contents(exports) {
  const rows = exports.map(({ name, doc }) => {
    const first = plain(doc.split(/\n\s*\n|(?<=\.)\s/)[0] ?? "").replaceAll("|", "\\|");
    return `| [${name}](#${anchor(name)}) | ${first.replaceAll("\n", " ")} |`;
  });
  return ["| | |", "|---|---|", ...rows].join("\n");
}

function section({ name, doc, signature, from }, names) {
  const source = `[source](../../${from})`;
  return [`### ${name}`, linked(doc, names), `\`\`\`ts\n${signature}\n\`\`\``, source]
    .filter(Boolean)
    .join("\n\n");
}

/** Tags of docstrings as paragraphs, links as links where the page has what they name. */
function linked(doc, names) {
  return doc
    .replaceAll(/\{@link (\w+)\}/g, (_whole, name) => {
      return names.has(name) ? `[\`${name}\`](#${anchor(name)})` : `\`${name}\``;
    })
    .replaceAll(/^@(param|returns|throws)\b\s*/gm, (_whole, tag) => `\n- **${tag}** `)
    .replaceAll(/\n{3,}/g, "\n\n");
}

function plain(doc) {
  return doc.replaceAll(/\{@link (\w+)\}/g, "`$1`").replace(/^@\w+\s*/, "");
}

function anchor(name) {
  return name.toLowerCase();
}
