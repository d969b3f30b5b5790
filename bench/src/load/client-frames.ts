import * as encoding from "lib0/encoding";

/** Message and sync types of the y-websocket wire. */
export const messageSync = 0;
export const syncStep1 = 0;
export const syncStep2 = 1;
export const syncUpdate = 2;

const opcodeBinary = 2;
const opcodePong = 10;
/** Clients must mask. Any key will do; not zero, or servers could leave the unmasking out. */
const mask = [0x37, 0xfa, 0x21, 0x3d] as const;

/** The state vector of a client that has nothing. */
export const emptyVector = Uint8Array.of(0);
/** An update without structs and without deletes. */
const emptyUpdate = Uint8Array.of(0, 0);

/** "I have this much, send me the rest." `prefix` comes from `prefixOf`. */
export function step1Frame(prefix: Uint8Array, vector: Uint8Array): Buffer {
  return binaryFrame(syncMessage(prefix, syncStep1, vector));
}

/** The answer of a client that has nothing to a server's step 1. */
export function emptyStep2Frame(prefix: Uint8Array): Buffer {
  return binaryFrame(syncMessage(prefix, syncStep2, emptyUpdate));
}

export function updateFrame(prefix: Uint8Array, update: Uint8Array): Buffer {
  return binaryFrame(syncMessage(prefix, syncUpdate, update));
}

export function pongFrame(payload: Uint8Array): Buffer {
  return clientFrame(opcodePong, payload);
}

export function binaryFrame(payload: Uint8Array): Buffer {
  return clientFrame(opcodeBinary, payload);
}

function syncMessage(prefix: Uint8Array, type: number, body: Uint8Array): Uint8Array {
  return encoding.encode((encoder) => {
    encoding.writeUint8Array(encoder, prefix);
    encoding.writeVarUint(encoder, messageSync);
    encoding.writeVarUint(encoder, type);
    encoding.writeVarUint8Array(encoder, body);
  });
}

function clientFrame(opcode: number, payload: Uint8Array): Buffer {
  const { length } = payload;
  const maskAt = length < 126 ? 2 : length < 65_536 ? 4 : 10;
  const frame = Buffer.allocUnsafe(maskAt + 4 + length);
  frame[0] = 0x80 | opcode;
  frame[1] = 0x80 | (maskAt === 2 ? length : maskAt === 4 ? 126 : 127);
  if (maskAt === 4) frame.writeUInt16BE(length, 2);
  if (maskAt === 10) frame.writeBigUInt64BE(BigInt(length), 2);
  frame.set(mask, maskAt);
  for (let index = 0; index < length; index += 1) {
    frame[maskAt + 4 + index] = payload[index]! ^ mask[index & 3]!;
  }
  return frame;
}
