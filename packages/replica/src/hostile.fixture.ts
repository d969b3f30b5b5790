import * as encoding from "lib0/encoding";
import * as Y from "yjs";

/** Updates that pass the validator and do harm, written by hand. */

export function textOf(text: string): Uint8Array {
  const doc = new Y.Doc();
  doc.getText("text").insert(0, text);
  return Y.encodeStateAsUpdate(doc);
}

/** `count` clients each insert before another character of one text: quadratic in Yjs. */
export function rightOriginFan(count: number): Uint8Array {
  const author = count + 1;
  return encoding.encode((encoder) => {
    writeUints(encoder, [count + 1, 1, author, 0]);
    encoding.writeUint8(encoder, 0x04);
    writeUints(encoder, [1]);
    encoding.writeVarString(encoder, "text");
    encoding.writeVarString(encoder, "x".repeat(count));
    for (let client = count; client > 0; client--) {
      writeUints(encoder, [1, client, 0]);
      encoding.writeUint8(encoder, 0x44);
      writeUints(encoder, [author, client - 1]);
      encoding.writeVarString(encoder, "y");
    }
    writeUints(encoder, [0]);
  });
}

/** 21 bytes after which no document that holds them can be encoded. */
export function subdocumentWithoutGuid(client = 7): Uint8Array {
  return encoding.encode((encoder) => {
    writeUints(encoder, [1, 1, client, 0]);
    encoding.writeUint8(encoder, 0x09);
    writeUints(encoder, [1]);
    encoding.writeVarString(encoder, "docs");
    encoding.writeVarString(encoder, "sub");
    encoding.writeAny(encoder, { guid: null });
    writeUints(encoder, [0]);
  });
}

/** `count` updates that nest arrays `depth` levels deeper each. */
export function nestedArrays(depth: number, count: number): Uint8Array[] {
  const doc = new Y.Doc();
  let array: Y.Array<unknown> = doc.getArray("nest");
  return Array.from({ length: count }, () => {
    const before = Y.encodeStateVector(doc);
    doc.transact(() => {
      for (let level = 0; level < depth; level++) {
        const inner = new Y.Array<unknown>();
        array.insert(0, [inner]);
        array = inner;
      }
    });
    return Y.encodeStateAsUpdate(doc, before);
  });
}

/** The Yjs client of {@link slowInsertions}. */
export const attacker = 7;

/** A text, and updates that insert before its characters from the last to the first: quadratic again. */
export function slowInsertions(count: number, perUpdate: number): Uint8Array[] {
  const client = attacker;
  const updates = [characterOf(client, 0, "x".repeat(count))];
  for (let done = 0; done < count; done += perUpdate) {
    const update = encoding.encode((encoder) => {
      writeUints(encoder, [1, perUpdate, client, count + done]);
      for (let index = 0; index < perUpdate; index++) {
        encoding.writeUint8(encoder, 0x44);
        writeUints(encoder, [client, count - 1 - done - index]);
        encoding.writeVarString(encoder, "y");
      }
      writeUints(encoder, [0]);
    });
    updates.push(update);
  }
  return updates;
}

/** One character of a client that nobody knows, at the start of the text. */
export function characterOf(client: number, clock = 0, text = "y"): Uint8Array {
  return encoding.encode((encoder) => {
    writeUints(encoder, [1, 1, client, clock]);
    encoding.writeUint8(encoder, 0x04);
    writeUints(encoder, [1]);
    encoding.writeVarString(encoder, "text");
    encoding.writeVarString(encoder, text);
    writeUints(encoder, [0]);
  });
}

/** One character of a client that nobody knows, right before a character of `author`. */
export function characterBefore(client: number, author: number, clock: number): Uint8Array {
  return encoding.encode((encoder) => {
    writeUints(encoder, [1, 1, client, 0]);
    encoding.writeUint8(encoder, 0x44);
    writeUints(encoder, [author, clock]);
    encoding.writeVarString(encoder, "~");
    writeUints(encoder, [0]);
  });
}

/** Deletes of a client, from `clock` on: eight bytes that need not have anything to delete yet. */
export function deletesOf(client: number, clock: number, length = 1): Uint8Array {
  return encoding.encode((encoder) => writeUints(encoder, [0, 1, client, 1, clock, length]));
}

function writeUints(encoder: encoding.Encoder, values: readonly number[]): void {
  for (const value of values) encoding.writeVarUint(encoder, value);
}
