/**
 * A declaration as a `.d.ts` would have it, from its source: bodies, private members and values are left out, the
 * docstrings of public members stay.
 */
export function signatureOf(declaration, text) {
  if (declaration.type === "ClassDeclaration") return classText(declaration, text);
  if (declaration.type === "VariableDeclaration") return constantText(declaration, text);
  const end =
    declaration.body?.type === "BlockStatement" ? declaration.body.start : declaration.end;
  return `${text.slice(declaration.start, end).trimEnd().replace(/;$/, "")};`.replace(/\};$/, "}");
}

function classText({ start, body }, text) {
  const head = text.slice(start, body.start).trimEnd();
  const members = body.body.filter(isPublic).map((member) => memberText(member, body, text));
  return `${head} {\n${members.join("\n")}\n}`;
}

function isPublic({ key, accessibility, type }) {
  const isHidden = key?.type === "PrivateIdentifier" || accessibility === "private";
  return !isHidden && type !== "StaticBlock";
}

function memberText(member, body, text) {
  return docOf(member, body, text) + `  ${signatureOfMember(member, text)};`;
}

function signatureOfMember(member, text) {
  const { start, end, value, typeAnnotation, key } = member;
  if (value?.type === "FunctionExpression") {
    return text
      .slice(start, value.body?.start ?? end)
      .replace(/\basync /, "")
      .trimEnd();
  }
  if (member.type !== "PropertyDefinition") return text.slice(start, end).replace(/;$/, "");
  return text.slice(start, typeAnnotation?.end ?? key.end).replace("override ", "");
}

/** Between the end of what is before it and itself. */
function docOf({ start }, { start: from, body }, text) {
  const before = body.findLast((member) => member.end <= start);
  const between = text.slice(before?.end ?? from + 1, start);
  const doc = /\/\*\*(?:(?!\*\/)[\s\S])*\*\/\s*$/.exec(between)?.[0].trimEnd() ?? "";
  return doc && `  ${doc}\n`;
}

/** A table is what it says; anything else is its type, or nothing. */
function constantText({ start, kind, declarations }, text) {
  const texts = declarations.map(({ id, init, end }) => {
    if (id.typeAnnotation) return text.slice(id.start, id.end);
    const isPlain = init && !/=>|\bfunction\b/.test(text.slice(init.start, init.end));
    return isPlain ? text.slice(id.start, end) : id.name;
  });
  const head = text.slice(start, start + kind.length);
  return `${head} ${texts.join(", ")};`;
}
