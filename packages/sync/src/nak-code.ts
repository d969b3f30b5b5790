/** Why a run was not taken. Numbers are part of `heddle.1`. */
export const NakCode = {
  /** Its signature, or that of its lane, is wrong. Comes again after a damaged frame. */
  badSignature: 1,
  /** Its lane has two histories; nothing more of it is taken. */
  forked: 2,
  /** What it holds is refused for good. */
  refused: 3,
} as const;

/** After these the lane is not pushed to that peer any more. */
export function isPermanentNak(code: number): boolean {
  return code !== NakCode.badSignature;
}
