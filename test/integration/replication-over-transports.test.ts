import { HeddleErrorCode } from "@heddle/core";
import { testDocument, testEnvironment } from "@heddle/testkit";
import { expect, test, vi } from "vitest";

import { WiredReplica } from "./wired-replica.ts";
import { wires } from "./wires.ts";

// Goal: the protocol does not know what it runs over.
// Method: two replicas, the same host and the same machine, over each transport: both write, one
// connection ends in the middle and another is dialed, and both must end with the same log.

const envelopes = 200;
const patience = { timeout: 60_000, interval: 10 };

test.each(wires)("[TRN-7][WIR-8] two replicas settle over %s", async (_name, makeWire) => {
  const wire = await makeWire();
  const [ada, bo] = [await WiredReplica.open(1), await WiredReplica.open(2)];
  const entry = testDocument(testEnvironment(), "notes");
  const connect = async () => {
    const dialed = wire.transport.dial(new AbortController().signal);
    const [dialer, acceptor] = await Promise.all([dialed, wire.accept()]);
    ada.attach(dialer, "initiator");
    bo.attach(acceptor, "acceptor");
    return dialer;
  };
  await ada.write(entry, 60);
  const first = await connect();
  for (let round = 0; round < 10; round++) {
    await ada.write(entry, 4);
    await bo.write(entry, 6);
  }
  first.close(HeddleErrorCode.sessionClosed);
  await vi.waitFor(
    () => expect([ada.connectionCount, bo.connectionCount]).toEqual([0, 0]),
    patience,
  );
  await bo.write(entry, 40);
  await connect();

  await vi.waitFor(() => {
    expect([ada, bo].map((replica) => replica.idsOf(entry).length)).toEqual([envelopes, envelopes]);
    expect([ada, bo].map(({ replication }) => replication.isSettled)).toEqual([true, true]);
  }, patience);
  expect(ada.idsOf(entry)).toEqual(bo.idsOf(entry));
  for (const { replication, errors } of [ada, bo]) {
    expect(errors).toEqual([HeddleErrorCode.sessionClosed]);
    expect(replication.counters).toMatchObject({ framesRefused: 0, forks: 0 });
  }
  await ada.stop(HeddleErrorCode.relayDraining);
  await vi.waitFor(() => expect(bo.errors).toHaveLength(2), patience);
  await bo.stop(HeddleErrorCode.sessionClosed);
  await wire.dispose();
});
