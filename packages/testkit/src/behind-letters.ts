import * as encoding from "lib0/encoding";
import * as Y from "yjs";

/** An update of `count` structs of client 9, each behind another letter of client 7. */
export function behindLetters(count: number): Uint8Array {
  return encoding.encode((encoder) => {
    const uints = (...all: number[]): void => {
      for (const value of all) encoding.writeVarUint(encoder, value);
    };
    uints(1, count, 9, 0);
    for (let clock = 0; clock < count; clock++) {
      encoding.writeUint8(encoder, 0x84);
      uints(7, clock);
      encoding.writeVarString(encoder, "x");
    }
    uints(0);
  });
}

/** Letters of client 7 in the text `text`, one update each. */
export function letters(count: number): Uint8Array[] {
  const doc = Object.assign(new Y.Doc(), { clientID: 7 });
  const updates: Uint8Array[] = [];
  doc.on("update", (update: Uint8Array) => updates.push(update));
  for (let index = 0; index < count; index++) doc.getText("text").insert(index, "y");
  return updates;
}
