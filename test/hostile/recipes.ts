import * as encoding from "lib0/encoding";

import { awareness, sync, type HostileMessage } from "./corpus.ts";

type Writer = (encoder: encoding.Encoder) => void;

function update(...parts: readonly Writer[]): Uint8Array {
  return encoding.encode((encoder) => {
    for (const part of parts) part(encoder);
  });
}

function uints(...values: readonly number[]): Writer {
  return (encoder) => {
    for (const value of values) encoding.writeVarUint(encoder, value);
  };
}

function text(value: string): Writer {
  return (encoder) => encoding.writeVarString(encoder, value);
}

function byte(value: number): Writer {
  return (encoder) => encoding.writeUint8(encoder, value);
}

function times(count: number, part: (index: number) => Writer): Writer {
  return (encoder) => {
    for (let index = 0; index < count; index++) part(index)(encoder);
  };
}

const noDeletes = uints(0);
const rootText = [uints(1), text("text")] as const;

/** A string of `n`, then `n` clients who each insert to the left of another of its letters. */
export function rightOriginFan(n: number): Uint8Array {
  return update(
    uints(n + 1),
    times(n, (index) => (encoder) => {
      uints(1, 1_000_000 + n - index, 0)(encoder);
      byte(0x44)(encoder);
      uints(7, n - 1 - index)(encoder);
      text("x")(encoder);
    }),
    uints(1, 7, 0),
    byte(0x04),
    ...rootText,
    text("a".repeat(n)),
    noDeletes,
  );
}

/** `length` letters of one client: what a paste is. */
export function textOfOne(client: number, length: number): Uint8Array {
  const letters = "x".repeat(length);
  return update(uints(1, 1, client, 0), byte(0x04), ...rootText, text(letters), noDeletes);
}

function deleteReverse(n: number): Uint8Array {
  return update(
    uints(1, 1, 7, 0),
    byte(0x04),
    ...rootText,
    text("a".repeat(2 * n)),
    uints(1, 7, n),
    times(n, (index) => uints(2 * (n - 1 - index), 1)),
  );
}

function gapped(client: number): Uint8Array {
  return update(uints(1, 1, client, 100), byte(0x04), ...rootText, text("gap"), noDeletes);
}

function deepTypes(depth: number): Uint8Array {
  return update(
    uints(1, depth, 7, 0),
    byte(0x07),
    uints(1),
    text("array"),
    uints(0),
    times(depth - 1, (index) => (encoder) => {
      byte(0x07)(encoder);
      uints(0, 7, index, 0)(encoder);
    }),
    noDeletes,
  );
}

function rootFlood(n: number): Uint8Array {
  return update(
    uints(1, n + 1, 7, 0),
    times(n, (index) => (encoder) => {
      byte(0x04)(encoder);
      uints(1)(encoder);
      text(`root ${index}`)(encoder);
      text("x")(encoder);
    }),
    byte(0x1f),
    noDeletes,
  );
}

function pendingDeletes(n: number): Uint8Array {
  return update(
    uints(0, 1, 99, n),
    times(n, (index) => uints(2 * index, 1)),
  );
}

function inventedClients(n: number): Uint8Array {
  const present = [text("{}")];
  return update(
    uints(n),
    times(n, (index) => (encoder) => {
      uints(index + 1, 1)(encoder);
      for (const part of present) part(encoder);
    }),
  );
}

function equivocation(letter: string): Uint8Array {
  return update(uints(1, 1, 7, 0), byte(0x04), ...rootText, text(letter), noDeletes);
}

/** One-letter updates of ever new clients at one place: each cheap, all together quadratic. */
function ascendingClients(n: number): Uint8Array[] {
  return Array.from({ length: n }, (_, index) =>
    update(uints(1, 1, 1_000 + index, 0), byte(0x04), ...rootText, text("x"), noDeletes),
  );
}

const live = (bytes: Uint8Array): Uint8Array => sync(2, bytes);

/** The recorded recipes, at sizes at which they hurt a server without guards. */
export function hostileRecipes(): HostileMessage[] {
  return [
    { id: "right-origin-fan", verdict: "any", messages: [live(rightOriginFan(5_000))] },
    { id: "delete-reverse", verdict: "close", messages: [live(deleteReverse(100_000))] },
    {
      id: "gap-flood",
      verdict: "park",
      messages: Array.from({ length: 4_000 }, (_, index) => live(gapped(10_000 + index))),
    },
    { id: "deep-types", verdict: "close", messages: [live(deepTypes(20_000))] },
    { id: "root-flood", verdict: "close", messages: [live(rootFlood(20_000))] },
    { id: "pending-deletes", verdict: "park", messages: [live(pendingDeletes(300_000))] },
    { id: "awareness-flood", verdict: "ignore", messages: [awareness(inventedClients(100_000))] },
    {
      id: "equivocation",
      verdict: "accept",
      messages: [live(equivocation("a")), live(equivocation("b"))],
    },
    { id: "ascending-clients", verdict: "any", messages: ascendingClients(16_000).map(live) },
  ];
}
