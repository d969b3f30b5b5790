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

/** "I have nothing, send me all." */
export const emptyStep1Frame: Buffer = binaryFrame(syncMessage(syncStep1, Uint8Array.of(0)));

/** The answer to a server's step 1: an update without structs and without deletes. */
export const emptyStep2Frame: Buffer = binaryFrame(syncMessage(syncStep2, Uint8Array.of(0, 0)));

export function updateFrame(update: Uint8Array): Buffer {
  return binaryFrame(syncMessage(syncUpdate, update));
}

export function pongFrame(payload: Uint8Array): Buffer {
  return clientFrame(opcodePong, payload);
}

function syncMessage(type: number, body: Uint8Array): Uint8Array {
  return encoding.encode((encoder) => {
    encoding.writeVarUint(encoder, messageSync);
    encoding.writeVarUint(encoder, type);
    encoding.writeVarUint8Array(encoder, body);
  });
}

function binaryFrame(payload: Uint8Array): Buffer {
  return clientFrame(opcodeBinary, payload);
}

function clientFrame(opcode: number, payload: Uint8Array): Buffer {
  if (payload.length > 65_535) throw new Error("a client frame of this load fits in 64 KiB");
  const short = payload.length < 126;
  const frame = Buffer.allocUnsafe((short ? 6 : 8) + payload.length);
  frame[0] = 0x80 | opcode;
  frame[1] = 0x80 | (short ? payload.length : 126);
  if (!short) frame.writeUInt16BE(payload.length, 2);
  const maskAt = short ? 2 : 4;
  frame.set(mask, maskAt);
  for (let index = 0; index < payload.length; index += 1) {
    frame[maskAt + 4 + index] = payload[index]! ^ mask[index & 3]!;
  }
  return frame;
}
