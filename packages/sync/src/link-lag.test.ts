import { storeId, type DocumentId } from "@heddle/core";
import { expect, test } from "vitest";

import { FixtureLane } from "./environment.fixture.ts";
import { decodeFrame } from "./frame.ts";
import { countingBytes } from "./frames.fixture.ts";
import { MemoryHost } from "./memory-host.fixture.ts";
import { connect, exchange, pass } from "./memory-wire.fixture.ts";

// Goal: that one side lacks something for long is told once on both, with what a host can ask, and not while it comes.

const storeOf = (seed: number) => storeId(countingBytes(16, seed));
const limits = { laggingMs: 20_000 };

const lagsOf = ({ events }: MemoryHost) => {
  return events.filter(({ name }) => name === "document.lagging");
};

test("[DRF-1][WIR-17] a side that lacks something for long is told of once on both sides, and again only after it had it", async () => {
  const lane = await FixtureLane.open(1);
  const [writer, reader] = [new MemoryHost(1, { limits }), new MemoryHost(2, { limits })];
  connect(writer, reader, 1);
  await writer.write(lane, 3);
  await exchange(writer, reader);
  await pass(writer, reader, 30_000);
  const [id] = [...writer.disk.documents.keys()] as [DocumentId];
  const standings = () => [
    writer.replication.standing(id, storeOf(2))?.logs,
    reader.replication.standing(id, storeOf(1))?.logs,
  ];
  expect([...lagsOf(writer), ...lagsOf(reader)]).toEqual([]);
  expect(standings()).toEqual(["equal", "equal"]);
  let isCut = true;
  const withoutPushes = (bytes: Uint8Array) => !isCut || decodeFrame(bytes)?.name !== "push";
  await writer.write(lane, 2);
  await pass(writer, reader, 15_000, withoutPushes);
  expect([...lagsOf(writer), ...lagsOf(reader)]).toEqual([]);
  await pass(writer, reader, 50_000, withoutPushes);
  expect(lagsOf(writer)).toEqual([{ name: "document.lagging", document: id, store: storeOf(2) }]);
  expect(lagsOf(reader)).toEqual([{ name: "document.lagging", document: id, store: storeOf(1) }]);
  expect(standings()).toEqual(["ahead", "behind"]);
  isCut = false;
  await pass(writer, reader, 60_000, withoutPushes);
  expect(standings()).toEqual(["equal", "equal"]);
  expect(lagsOf(reader)).toHaveLength(1);
});
