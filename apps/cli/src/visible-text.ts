/** Controls, marks and overrides of direction, what is invisible or unassigned, blanks of any kind. */
const suspects = /[\p{C}\p{Z}\p{Default_Ignorable_Code_Point}]/gu;
const joiners = /^[\u200c\u200d]$/;
const variationSelectors = /^[\ufe00-\ufe0f]$/;
const beyondAscii = /^[^\0-\x7f]$/;

/**
 * The same text with what a person would not see, or would see something else for, spelled out as
 * `\u202e`; in JSON it means what it meant before. Names may hold such characters, because honest ones do:
 * joiners and variation selectors stay where a script or an emoji needs them, beside characters beyond ASCII.
 */
export function visibleText(text: string): string {
  return text.replaceAll(suspects, (character: string, at: number) => {
    const isAfterBeyond = beyondAscii.test(text[at - 1] ?? "");
    const isBeforeBeyond = beyondAscii.test(text[at + 1] ?? "");
    const isJoining = joiners.test(character) && isAfterBeyond && isBeforeBeyond;
    const isVariation = variationSelectors.test(character) && isAfterBeyond;
    return character === " " || isJoining || isVariation ? character : escaped(character);
  });
}

function escaped(character: string): string {
  let result = "";
  for (let index = 0; index < character.length; index++) {
    result += `\\u${character.charCodeAt(index).toString(16).padStart(4, "0")}`;
  }
  return result;
}
