import {
  documentIdOf,
  MemoryDisk,
  MemoryLogStore,
  openSpaceId,
  parseDocumentName,
  type LogFields,
} from "@heddle/core";
import { PeerRole } from "@heddle/sync";
import { expect, test, vi } from "vitest";
import * as Y from "yjs";

import type { TracedStep } from "../edit-trace.ts";
import { ephemeralDeviceKey, nodeVerifier } from "../node-environment.ts";
import { openLiveReplica } from "../open-live-replica.ts";
import { environment, notes } from "../replica.fixture.ts";
import { Replica } from "../replica.ts";
import { PairedConnection } from "@heddle/testkit";
import { PeerHost } from "./peer-host.ts";
import type { RefusedEdit } from "./read-refused.ts";

// Goal: what a peer refuses for good can be seen with the name that the application gave it, exported,
// copied into a new document and tried again, while everything else drains.

const space = openSpaceId(environment.hash);
const refusedId = documentIdOf(environment.hash, space, notes);

/** A replica that takes nothing of one document while it is told so. */
async function openRefusing() {
  const store = await MemoryLogStore.open(new MemoryDisk(), environment.random);
  const parts = { store, environment, signer: ephemeralDeviceKey(), engine: "test" };
  const replica = await Replica.open(parts);
  const wish = { refuses: true };
  const refusing = new Proxy(replica, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== "function") return value;
      if (name !== "takeRuns") return value.bind(target);
      const takeRuns: Replica["takeRuns"] = async (document, runs) => {
        if (document !== notes || !wish.refuses) return target.takeRuns(document, runs);
        return { verdicts: runs.map(() => "refused"), arrival: 0 };
      };
      return takeRuns;
    },
  });
  const meeting = { ...parts, replica: refusing, verifier: nodeVerifier, role: PeerRole.relay };
  const host = await PeerHost.open({ ...meeting, adopt: true, follow: false, hasOutbox: false });
  return { wish, host };
}

test("[WIR-19][OBS-1] a refused edit is named, exported, copied into a new document and tried again", async () => {
  const lines: (LogFields & { event: string })[] = [];
  const steps: TracedStep[] = [];
  const keep = (event: string, fields?: LogFields): void => void lines.push({ event, ...fields });
  const logger = { debug: keep, info: keep, warn: keep, error: keep };
  const store = await MemoryLogStore.open(new MemoryDisk(), environment.random);
  const telemetry = { onRound: () => undefined, onTraced: (step: TracedStep) => steps.push(step) };
  await using app = await openLiveReplica({
    store,
    environment: { ...environment, logger },
    signer: ephemeralDeviceKey(),
    verifier: nodeVerifier,
    peers: [],
    telemetry,
  });
  const { peers } = app;
  const [document, other] = [await app.open(notes), await app.open("plans")];
  const peer = await openRefusing();
  const [here, there] = PairedConnection.pair();
  peers!.accept(here);
  peer.host.connect(there, "initiator");

  const edit = { reason: "invoice\n7", correlationId: Uint8Array.of(7, 8) };
  document.transact(() => document.ydoc.getText("text").insert(0, "paid"), edit);
  other.ydoc.getText("text").insert(0, "elsewhere");
  await other.whenRelayed();
  await vi.waitUntil(() => lines.some(({ event }) => event === "lane.refused"), 10_000);

  const said = { correlationId: "0708", editReason: "invoice\\u{a}7", document: refusedId };
  expect(lines.find(({ event }) => event === "lane.refused")).toMatchObject({ ...said, seq: 1 });
  expect(lines.find(({ event }) => event === "edit.pushed")).toMatchObject({ ...said, seq: 1 });
  expect(steps.find(({ name }) => name === "heddle.push")).toMatchObject({
    correlationId: edit.correlationId,
    document: refusedId,
    seq: 1,
    peer: peers!.refused[0]!.store,
  });
  const [refusal, ...more] = peers!.refused;
  expect(more).toEqual([]);
  const edits: RefusedEdit[] = [];
  for await (const each of peers!.refusedEdits(refusal!)) edits.push(each);
  expect(edits).toMatchObject([{ seq: 1, correlationId: edit.correlationId }]);
  const exported = new Y.Doc();
  for (const update of await peers!.exportRefused(refusal!)) Y.applyUpdate(exported, update);
  expect(exported.getText("text").toJSON()).toBe("paid");

  await peers!.copyRefused(refusal!, "notes, rescued");
  const copy = await app.open("notes, rescued");
  expect(copy.ydoc.getText("text").toJSON()).toBe("paid");
  await copy.whenRelayed();
  const invalid = expect.objectContaining({ code: "HEDDLE_CONFIG_INVALID" });
  await expect(peers!.copyRefused(refusal!, "plans")).rejects.toEqual(invalid);
  const nowhere = documentIdOf(environment.hash, space, parseDocumentName("nowhere"));
  await expect(peers!.copyRefused({ document: nowhere }, "new")).rejects.toEqual(invalid);
  expect(peers!.refused).toEqual([refusal]);

  peer.wish.refuses = false;
  peers!.retryRefused(refusal!);
  await document.whenRelayed();
  expect(peers!.refused).toEqual([]);
  peer.host.stop();
});
