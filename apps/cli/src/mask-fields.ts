/** Deep enough for an error with a few causes; what lies deeper is not worth a line. */
const depthMax = 6;
const itemsMax = 64;
const textLengthMax = 1_024;
const masked = "[masked]";

/** Parts of words that make a key's value nobody's business, wherever they stand in the key. */
const secretParts =
  /token|authori[sz]ation|cookie|secret|passw|passphrase|credential|bearer|jwt|pem$/;
/** Words too common to be looked for inside others. `params` and `query` carry tokens of y-websocket. */
const secretWords =
  /^(?:auth|pass|pwd|pin|params?|query|search|headers|payload|update|content)$|key$/;

/** `?a=b` of an address, `user:password@` in one, and `secret: value` inside a sentence. */
const secretsInText: readonly (readonly [RegExp, string])[] = [
  [/\?[^\s"'<>?=]*=[^\s"'<>]*/g, `?${masked}`],
  [/:\/\/[^\s/@]*@/g, `://${masked}@`],
  [
    /((?:token|secret|passw(?:or)?d|authorization|cookie|key)["']?\s*[:=]\s*)(?:bearer\s+)?["']?[^\s"'&,;}]+["']?/gi,
    `$1${masked}`,
  ],
];

/**
 * A copy of `value` that is fit for a log: the values of secret keys are masked at any depth, queries
 * of addresses too; bytes are counted, not shown; cycles, depth and length come to an end.
 */
export function maskFields(value: unknown): unknown {
  return maskValue(value, depthMax, new Set());
}

export function isSecretKey(key: string): boolean {
  const plain = key.toLowerCase().replaceAll(/[^a-z0-9]/g, "");
  return secretParts.test(plain) || secretWords.test(plain);
}

function maskValue(value: unknown, depth: number, above: Set<object>): unknown {
  if (typeof value === "string") return maskText(value);
  if (typeof value === "bigint") return value.toString();
  if (typeof value === "function" || typeof value === "symbol") return `[${typeof value}]`;
  if (typeof value !== "object" || value === null) return value;
  if (value instanceof Date)
    return Number.isNaN(value.getTime()) ? "[no date]" : value.toISOString();
  if (value instanceof URL) return maskText(value.href);
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer)
    return `[${value.byteLength} bytes]`;
  if (above.has(value)) return "[circular]";
  if (depth === 0) return "[deep]";
  above.add(value);
  try {
    return maskObject(value, depth - 1, above);
  } catch {
    return "[unreadable]"; // A getter or a proxy of somebody's own: a log line must not end the process.
  } finally {
    above.delete(value);
  }
}

function maskObject(value: object, depth: number, above: Set<object>): unknown {
  const mask = (item: unknown): unknown => maskValue(item, depth, above);
  if (Array.isArray(value)) {
    // Headers come as lists of pairs, or as one list in which keys and values take turns.
    const items: readonly unknown[] = value.slice(0, itemsMax);
    return items.map((item, index) => (isSecretName(items[index - 1]) ? masked : mask(item)));
  }
  if (value instanceof Set) return [...value].slice(0, itemsMax).map(mask);
  const entries = entriesOf(value).slice(0, itemsMax);
  return Object.fromEntries(
    entries.map(([key, item]) => [maskText(key), isSecretKey(key) ? masked : mask(item)]),
  );
}

function isSecretName(item: unknown): boolean {
  return typeof item === "string" && item.length < 64 && isSecretKey(item);
}

function entriesOf(value: object): [string, unknown][] {
  if (value instanceof Map) return [...value].map(([key, item]) => [String(key), item]);
  if (!(value instanceof Error)) return Object.entries(value);
  const { name, message, cause } = value;
  const own = Object.entries(value).filter(([key]) => key !== "name" && key !== "message");
  return [["name", name], ["message", message], ...own, ["cause", cause]];
}

function maskText(text: string): string {
  let result = text.length > textLengthMax ? `${text.slice(0, textLengthMax)}…` : text;
  for (const [pattern, replacement] of secretsInText) {
    result = result.replaceAll(pattern, replacement);
  }
  return result;
}
