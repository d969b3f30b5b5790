import * as encoding from "lib0/encoding";

/** Updates that pass every static check and do harm. */

/**
 * A text, and one character before each of its characters, from the last to the first: quadratic in
 * Yjs, and all of one client, so that no bound on clients stops it.
 */
export function fanOfOne(count: number): Uint8Array {
  const client = 7;
  return encoding.encode((encoder) => {
    writeUints(encoder, [1, count + 1, client, 0]);
    writeText(encoder, "x".repeat(count));
    for (let clock = count - 1; clock >= 0; clock--) {
      writeUints(encoder, [0x44, client, clock]);
      encoding.writeVarString(encoder, "y");
    }
    writeUints(encoder, [0]);
  });
}

/** 24 bytes that pass for a subdocument; a document that holds them cannot be encoded any more. */
export function subdocument(): Uint8Array {
  return encoding.encode((encoder) => {
    writeUints(encoder, [1, 1, 7, 0, 9, 1]);
    encoding.writeVarString(encoder, "docs");
    encoding.writeVarString(encoder, "sub");
    encoding.writeAny(encoder, { guid: null });
    writeUints(encoder, [0]);
  });
}

function writeText(encoder: encoding.Encoder, text: string): void {
  writeUints(encoder, [4, 1]);
  encoding.writeVarString(encoder, "text");
  encoding.writeVarString(encoder, text);
}

function writeUints(encoder: encoding.Encoder, values: readonly number[]): void {
  for (const value of values) encoding.writeVarUint(encoder, value);
}
