import { HeddleError } from "@heddle/core";
import fc from "fast-check";
import * as decoding from "lib0/decoding";
import * as encoding from "lib0/encoding";
import { expect, test } from "vitest";
import * as awarenessProtocol from "y-protocols/awareness";
import * as syncProtocol from "y-protocols/sync";
import * as Y from "yjs";

import { decodeAwareness } from "./awareness-codec.ts";
import {
  decodeClientMessage,
  encodeAwareness,
  encodeSyncStep1,
  encodeSyncStep2,
  encodeUpdate,
} from "./y-websocket-wire.ts";

/** A message as the stock provider writes it: type, then what y-protocols adds. */
function stockMessage(type: number, write: (encoder: encoding.Encoder) => void): Uint8Array {
  return encoding.encode((encoder) => {
    encoding.writeVarUint(encoder, type);
    write(encoder);
  });
}

test("[RLY-4] what y-protocols writes is read, and the other way round", () => {
  const ydoc = new Y.Doc();
  ydoc.getText("text").insert(0, "thread");
  const state = Y.encodeStateAsUpdate(ydoc);
  const vector = Y.encodeStateVector(ydoc);
  const step1 = stockMessage(0, (encoder) => syncProtocol.writeSyncStep1(encoder, ydoc));
  const step2 = stockMessage(0, (encoder) => syncProtocol.writeSyncStep2(encoder, ydoc));
  const update = stockMessage(0, (encoder) => syncProtocol.writeUpdate(encoder, state));
  expect(decodeClientMessage(step1)).toEqual({ type: "step-1", stateVector: vector });
  expect(decodeClientMessage(step2)).toEqual({ type: "step-2", update: state });
  expect(decodeClientMessage(update)).toEqual({ type: "update", update: state });
  expect(encodeSyncStep1(vector)).toEqual(step1);
  expect(encodeSyncStep2(state)).toEqual(step2);
  expect(encodeUpdate(state)).toEqual(update);
});

test("[RLY-4] awareness is read as y-protocols writes it", () => {
  const awareness = new awarenessProtocol.Awareness(new Y.Doc());
  awareness.setLocalState({ user: { name: "Ada" } });
  const update = awarenessProtocol.encodeAwarenessUpdate(awareness, [awareness.clientID]);
  const message = stockMessage(1, (encoder) => encoding.writeVarUint8Array(encoder, update));
  expect(decodeClientMessage(message)).toEqual({ type: "awareness", update });
  expect(encodeAwareness(update)).toEqual(message);
  expect(decodeAwareness(update).items).toEqual([
    { client: awareness.clientID, clock: 1, state: '{"user":{"name":"Ada"}}' },
  ]);
  awareness.destroy();
});

test("[RLY-4] a message of somebody's own type is not an error", () => {
  for (const type of [2, 4, 10, 102, 120]) {
    const message = stockMessage(type, (encoder) => encoding.writeUint8(encoder, 7));
    expect(decodeClientMessage(message)).toEqual({ type: "unknown" });
  }
});

test("[RLY-9] whatever arrives is read or refused with a code", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      for (const read of [decodeClientMessage, decodeAwareness]) {
        try {
          read(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(HeddleError);
          expect((error as HeddleError).code).toBe("HEDDLE_FRAME_MALFORMED");
        }
      }
    }),
    { numRuns: 2_000 },
  );
});

test("[RLY-9] bytes after a message are refused, not ignored", () => {
  const decoder = decoding.createDecoder(encodeSyncStep1(Uint8Array.of(0)));
  const packed = Uint8Array.of(...decoder.arr, 0);
  expect(() => decodeClientMessage(packed)).toThrow(HeddleError);
});
