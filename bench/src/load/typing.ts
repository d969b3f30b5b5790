import * as Y from "yjs";
import { updateFrame } from "./client-frames.ts";
import { ClockRangeReader } from "./clock-ranges.ts";

/** Client ids of one load: real ones are random 32-bit numbers, these are as long on the wire. */
const firstClientId = 3_000_000_000;
const prose = "the weft goes over and under the warp, and the heddle lifts every other thread. ";

export function clientIdOf(writer: number): number {
  return firstClientId + writer;
}

export function writerOf(clientId: number): number {
  return clientId - firstClientId;
}

/** What one person types, one letter per update: frames ready to send, in one piece of memory. */
export class TypedRun {
  readonly #bytes: Buffer;
  readonly #ends: Uint32Array;

  constructor(frames: readonly Buffer[]) {
    this.#bytes = Buffer.concat(frames);
    this.#ends = new Uint32Array(frames.length);
    let end = 0;
    for (const [index, frame] of frames.entries()) {
      end += frame.length;
      this.#ends[index] = end;
    }
  }

  get length(): number {
    return this.#ends.length;
  }

  /** The frame of the update that carries clock `index`. */
  frame(index: number): Buffer {
    return this.#bytes.subarray(index === 0 ? 0 : this.#ends[index - 1], this.#ends[index]);
  }
}

/**
 * Types `letters` letters at the end of a text in a real Y.Doc and takes the updates that it emits. Every update is
 * one clock, so clocks that arrive are updates that arrived; each is checked against the lean reader on the way.
 */
export function typeRun(writer: number, letters: number, prefix: Uint8Array): TypedRun {
  const doc = new Y.Doc();
  doc.clientID = clientIdOf(writer);
  const text = doc.getText("text");
  const frames: Buffer[] = [];
  doc.on("update", (update: Uint8Array) => {
    assertCarries(update, doc.clientID, frames.length);
    frames.push(updateFrame(prefix, update));
  });
  for (let index = 0; index < letters; index += 1) {
    text.insert(index, prose.charAt((index + writer) % prose.length));
  }
  doc.destroy();
  return new TypedRun(frames);
}

/** One paste of `letters` letters by writer `writer`, as a frame. */
export function pasteFrame(writer: number, letters: number, prefix: Uint8Array): Buffer {
  const doc = new Y.Doc();
  doc.clientID = clientIdOf(writer);
  doc.getText("text").insert(0, prose.repeat(Math.ceil(letters / prose.length)).slice(0, letters));
  const frame = updateFrame(prefix, Y.encodeStateAsUpdate(doc));
  doc.destroy();
  return frame;
}

const reader = new ClockRangeReader();

function assertCarries(update: Uint8Array, clientId: number, clock: number): void {
  let ranges = 0;
  reader.read(update, 0, {
    onRange: (client, from, to) => {
      ranges += client === clientId && from === clock && to === clock + 1 ? 1 : 2;
    },
  });
  if (ranges !== 1) throw new Error(`update ${clock} does not read as one letter`);
}
