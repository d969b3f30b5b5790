import { existsSync, readFileSync } from "node:fs";
import path from "node:path";

import { parseSync } from "vite";

import { signatureOf } from "./api-signature.mjs";
import { root } from "./prepare.mjs";

/**
 * Something that a package exports.
 *
 * @typedef {object} Exported
 * @property {string} name
 * @property {"class" | "function" | "interface" | "type" | "constant"} kind
 * @property {string} doc of its docstring, without the stars; empty without one
 * @property {string} signature as a declaration, with the docstrings of public members
 * @property {string} from where it is declared, relative to the root
 */

const kinds = {
  ClassDeclaration: "class",
  FunctionDeclaration: "function",
  TSDeclareFunction: "function",
  TSInterfaceDeclaration: "interface",
  TSTypeAliasDeclaration: "type",
  VariableDeclaration: "constant",
};
const parsed = new Map();

/**
 * What one entry of a workspace exports, by name, through all re-exports, from its sources. A constant and a type
 * of one name are one: the constant has the docstring.
 *
 * @param {string} specifier such as `@heddle/replica/node`
 * @returns {Exported[]}
 */
export function exportsOf(specifier) {
  const found = new Map();
  collect(sourceOf(specifier), () => true, found);
  return [...found.values()];
}

function collect(file, isWanted, found) {
  const { text, program, comments } = parse(file);
  for (const node of program.body) {
    if (node.type === "ExportAllDeclaration") {
      collect(resolve(file, node.source.value), isWanted, found);
    } else if (node.type === "ExportNamedDeclaration" && node.source) {
      // Renamed on the way: looked up by the old name, and listed under the new one.
      for (const { local, exported } of node.specifiers) {
        if (!isWanted(exported.name)) continue;
        const inner = new Map();
        collect(resolve(file, node.source.value), (name) => name === local.name, inner);
        const one = inner.get(local.name);
        if (one) found.set(exported.name, { ...one, name: exported.name });
      }
    } else if (node.type === "ExportNamedDeclaration" && node.declaration) {
      for (const one of declared(file, node, text, comments)) {
        const known = found.get(one.name);
        if (isWanted(one.name) && !known?.doc)
          found.set(one.name, known ? merged(known, one) : one);
      }
    }
  }
}

function merged(known, one) {
  return { ...known, doc: one.doc, signature: `${known.signature}\n${one.signature}` };
}

function declared(file, node, text, comments) {
  const { declaration } = node;
  const kind = kinds[declaration.type];
  if (kind === undefined) throw new Error(`${file}: cannot read ${declaration.type}`);
  const doc = docAbove(node.start, text, comments);
  const from = path.relative(root, file);
  const names = declaration.declarations?.map(({ id }) => id.name) ?? [declaration.id.name];
  const signature = signatureOf(declaration, text);
  return names.map((name) => ({ name, kind, doc, signature, from }));
}

/** The block of stars right above; words to the linter may be in between. */
function docAbove(start, text, comments) {
  const above = comments.findLast(({ end, type }) => end <= start && type === "Block");
  const between = above && text.slice(above.end, start).replaceAll(/^\s*\/\/.*$/gm, "");
  if (!above?.value.startsWith("*") || between.trim() !== "") return "";
  return above.value
    .slice(1)
    .split("\n")
    .map((line) => line.replace(/^\s*\* ?/, ""))
    .join("\n")
    .trim();
}

function parse(file) {
  if (!parsed.has(file)) {
    const text = readFileSync(file, "utf8");
    const { program, comments, errors } = parseSync(file, text);
    if (errors.length > 0) throw new Error(`${file}: ${errors[0].message}`);
    parsed.set(file, { text, program, comments });
  }
  return parsed.get(file);
}

function resolve(from, specifier) {
  return specifier.startsWith(".")
    ? path.resolve(path.dirname(from), specifier)
    : sourceOf(specifier);
}

/** Where the sources of an entry begin: what its `package.json` says for the condition of this repository. */
function sourceOf(specifier) {
  const [, name, entry = ""] = /^@heddle\/([^/]+)(\/.+)?$/.exec(specifier) ?? [];
  const folder = path.join(root, "packages", String(name));
  if (!existsSync(folder)) throw new Error(`${specifier} is not of this repository`);
  const { exports } = JSON.parse(readFileSync(path.join(folder, "package.json"), "utf8"));
  return path.join(folder, exports[`.${entry}`]["heddle-src"]);
}
