import { expect, test } from "vitest";

import { FixtureLane } from "./environment.fixture.ts";
import { decodeFrame, type FrameOf } from "./frame.ts";
import { MemoryHost } from "./memory-host.fixture.ts";
import { connect, exchange, pass } from "./memory-wire.fixture.ts";

// Goal: a run leaves out what it follows where the reader knows, and nothing is lost or believed by it.

/** A writer and a reader that have exchanged one envelope, and every PUSH that passes from then on. */
async function exchanged() {
  const lane = await FixtureLane.open(1);
  const [writer, reader] = [new MemoryHost(1), new MemoryHost(2)];
  connect(writer, reader, 1);
  await writer.write(lane, 1);
  await exchange(writer, reader);
  return { lane, writer, reader };
}

type Look = (push: FrameOf<"push">, bytes: Uint8Array, count: number) => boolean;

/** Lets `look` decide about every PUSH, and damage it; the first has number 1. */
function looking(look: Look): (bytes: Uint8Array) => boolean {
  let count = 0;
  return (bytes) => {
    const frame = decodeFrame(bytes.slice());
    return frame?.name !== "push" || look(frame, bytes, ++count);
  };
}

const heldBy = (host: MemoryHost, { entry }: FixtureLane): number => {
  return host.disk.documents.get(entry.id)?.log.length ?? 0;
};
/** In the signature of the last envelope, whose payload is two bytes. */
const damaged = (bytes: Uint8Array): void => {
  bytes[bytes.length - 5]! ^= 1;
};

test("[WIR-4] what follows the run before does not say so, and arrives", async () => {
  const { lane, writer, reader } = await exchanged();
  const said: boolean[] = [];
  for (let edit = 0; edit < 3; edit++) {
    await writer.write(lane, 1);
    await exchange(
      writer,
      reader,
      looking(({ prev }) => said.push(prev !== undefined) > 0),
    );
  }
  expect(said).toEqual([false, false, false]);
  expect(heldBy(reader, lane)).toBe(4);
  expect(reader.replication.counters.runsUnplaced).toBe(0);
});

test("[WIR-4] after a lost run the next one cannot be placed: both come again, and say what they follow", async () => {
  const { lane, writer, reader } = await exchanged();
  const said: boolean[] = [];
  const passes = looking(({ prev }, _bytes, count) => {
    said.push(prev !== undefined);
    return count !== 1;
  });
  for (let edit = 0; edit < 2; edit++) {
    await writer.write(lane, 1);
    await exchange(writer, reader, passes);
  }
  await pass(writer, reader, 5_000, passes);
  expect(said).toEqual([false, false, true]);
  expect(heldBy(reader, lane)).toBe(3);
  expect(reader.replication.counters).toMatchObject({ runsUnplaced: 1, gaps: 1, signaturesBad: 0 });
});

test("[WIR-4] a run that was placed here and does not verify is asked for in full before anybody is blamed", async () => {
  const { lane, writer, reader } = await exchanged();
  const said: boolean[] = [];
  const passes = looking(({ prev }, bytes, count) => {
    said.push(prev !== undefined);
    if (count === 1) damaged(bytes);
    return true;
  });
  await writer.write(lane, 1);
  await pass(writer, reader, 5_000, passes);
  await writer.write(lane, 1);
  await pass(writer, reader, 5_000, passes);
  // Once it has shown a good one, it may leave it out again.
  expect(said).toEqual([false, true, false]);
  expect(heldBy(reader, lane)).toBe(3);
  expect(reader.replication.counters).toMatchObject({ runsUnplaced: 1, signaturesBad: 0 });
});

test("[WIR-4] what does not verify in full either is a forgery, and ends the session", async () => {
  const { lane, writer, reader } = await exchanged();
  const passes = looking((_push, bytes) => {
    damaged(bytes);
    return true;
  });
  await writer.write(lane, 1);
  await pass(writer, reader, 5_000, passes);
  expect(heldBy(reader, lane)).toBe(1);
  expect(reader.replication.counters).toMatchObject({ runsUnplaced: 1, signaturesBad: 1 });
  expect(reader.events.filter(({ name }) => name === "session.closed")).toHaveLength(1);
});

test("[WIR-4] a peer that goes on leaving it out after a bad run makes nobody verify anything", async () => {
  const { lane, writer, reader } = await exchanged();
  let pulls = 0;
  const passes = (bytes: Uint8Array): boolean => {
    const frame = decodeFrame(bytes.slice());
    if (frame?.name === "push") damaged(bytes);
    if (frame?.name === "pull") pulls++;
    // The writer does not hear that it was asked.
    return frame?.name !== "pull";
  };
  for (let edit = 0; edit < 6; edit++) {
    await writer.write(lane, 1);
    await exchange(writer, reader, passes);
  }
  expect(pulls).toBe(1);
  expect(reader.replication.counters).toMatchObject({ runsUnplaced: 6, signaturesBad: 0 });
  await pass(writer, reader, 60_000);
  expect(heldBy(reader, lane)).toBe(7);
});
