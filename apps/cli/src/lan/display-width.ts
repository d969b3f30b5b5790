/** What is drawn as one: a letter with its accents, an emoji of several characters. */
const graphemes = new Intl.Segmenter("en", { granularity: "grapheme" });

/** East Asian wide and full-width characters, and what terminals draw as emoji: two cells each. */
const wide = new RegExp(
  "[\\p{Emoji_Presentation}\\p{Script=Han}\\p{Script=Hangul}\\p{Script=Hiragana}\\p{Script=Katakana}" +
    "\\p{Script=Yi}\\u3001-\\u303e\\u3099-\\u30ff\\uff01-\\uff60\\uffe0-\\uffe6]",
  "u",
);
const halfWidth = /^[\uff61-\uffdc]/;
const marksOnly = /^\p{M}+$/u;
/** Asks for a picture where the character alone may be a letter. */
const emojiSelector = "\ufe0f";

/** Cells that a terminal takes for a text without controls. */
export function displayWidth(text: string): number {
  let cells = 0;
  for (const { segment } of graphemes.segment(text)) cells += cellsOf(segment);
  return cells;
}

/** The same text in at most `cells`, with … where something of it is gone. */
export function fitDisplay(text: string, cells: number): string {
  if (displayWidth(text) <= cells) return text;
  let kept = "";
  let taken = 1;
  for (const { segment } of graphemes.segment(text)) {
    taken += cellsOf(segment);
    if (taken > cells) break;
    kept += segment;
  }
  return cells > 0 ? `${kept}…` : "";
}

/** Blanks behind it, up to that many cells. */
export function padDisplay(text: string, cells: number): string {
  return text + " ".repeat(Math.max(0, cells - displayWidth(text)));
}

function cellsOf(grapheme: string): number {
  if (/^[ -~]$/.test(grapheme)) return 1;
  if (halfWidth.test(grapheme)) return 1;
  if (marksOnly.test(grapheme)) return 0;
  return wide.test(grapheme) || grapheme.includes(emojiSelector) ? 2 : 1;
}
