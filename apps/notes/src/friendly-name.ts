const qualities = [
  "Amber",
  "Brisk",
  "Calm",
  "Clever",
  "Gentle",
  "Merry",
  "Nimble",
  "Quiet",
  "Sunny",
  "Swift",
  "Warm",
  "Witty",
];
const animals = [
  "Badger",
  "Crane",
  "Finch",
  "Fox",
  "Hare",
  "Heron",
  "Lark",
  "Lynx",
  "Marten",
  "Otter",
  "Robin",
  "Wren",
];

/** Good enough to tell writers apart until they choose names of their own. */
export function friendlyName(): string {
  return `${pick(qualities)} ${pick(animals)}`;
}

function pick(words: readonly string[]): string {
  return words[Math.floor(Math.random() * words.length)] ?? "Guest";
}
