import { documentIdOf, openSpaceId, parseDocumentName, toHex } from "@heddle/core";
import { ReconcileJob, rollups } from "@heddle/reconcile";
import { LogSource, ProjectionHost, SinkHost } from "@heddle/replica";
import { openLevelProjectionStore, openLevelStore } from "@heddle/storage-level";
import { expect, test } from "vitest";

import { environment, projectionsIn, writePosts } from "./built-projection.ts";
import { StoreFolder } from "./store-survey.ts";

const { hash } = environment;
const posts = 4;
const idOf = (name: string) => documentIdOf(hash, openSpaceId(hash), parseDocumentName(name));
/** Its kind, the document, the lane, and the seq. */
const envelopeKeyBytes = 1 + 16 + 4 + 8;

/** Names of documents of which something was handed over, each as often as it was, until `isEnough`. */
async function handedOver(folder: string, isEnough: (given: readonly string[]) => boolean) {
  const given: string[] = [];
  const log = await openLevelStore(folder, { environment });
  const { store } = await openLevelProjectionStore(projectionsIn(folder), { environment });
  const sink = {
    name: "hook",
    owner: "tests",
    async deliver({ document }: { readonly document: { readonly name: string } }) {
      given.push(document.name);
      return { outcome: "delivered" } as const;
    },
  };
  const newSource = () => new LogSource({ store: log, environment });
  const host = new SinkHost({ store, newSource, environment, sinks: [sink], stalledMs: 20 });
  host.start();
  await host.whenCaughtUp({ signal: AbortSignal.timeout(20_000) });
  await expect.poll(() => isEnough(given), { timeout: 20_000 }).toBe(true);
  const { undetermined } = host.sinks.get("hook")!.counters;
  await host.close();
  await store.close();
  await log.close();
  return { given, undetermined };
}

const perPost = rollups({
  name: "activity",
  owner: "tests",
  bucketMs: 1e12,
  measure: () => [["changes", 1]],
});

/** What a fold that follows the log could not read, and a full recount of it. */
async function folded(folder: string, isEnough: (undetermined: number) => boolean) {
  const log = await openLevelStore(folder, { environment });
  const { store } = await openLevelProjectionStore(projectionsIn(folder), { environment });
  const source = new LogSource({ store: log, environment });
  const parts = { store, source, environment };
  const host = new ProjectionHost({ ...parts, projections: [perPost], stalledMs: 20 });
  host.start();
  await host.whenCaughtUp({ signal: AbortSignal.timeout(20_000) });
  const { counters } = host.statuses[0]!;
  const undetermined = (): number => counters.undetermined.get("damaged") ?? 0;
  const pace = { readsPerSecond: 1e9, loopShare: 1 };
  const job = { name: "test", holder: "tests", pace, isThorough: true };
  const reconcile = () => ReconcileJob.of({ ...parts, projection: perPost }, job).run();
  await expect.poll(() => isEnough(undetermined()), { timeout: 20_000 }).toBe(true);
  const report = await reconcile();
  await host.close();
  await store.close();
  await log.close();
  return report;
}

// Goal: one change that is damaged on the disk holds up its document, said and counted, and none of the others.
// Method: a byte of one envelope of the first of four documents is flipped on the disk before a sink, a fold and a job
// run; then it is put back.
test("[PRJ-10] [PRJ-14] [REC-3] a change that is damaged holds up its own document alone, and goes out once it is mended", async () => {
  await using place = await StoreFolder.makeQuick();
  await writePosts(place.folder, posts);
  const names = Array.from({ length: posts }, (_, index) => `post ${index}`);
  const [broken, ...others] = names.toSorted((a, b) => (idOf(a) < idOf(b) ? -1 : 1));
  const entries = await place.entries();
  const ofBroken = entries.filter(
    ([at]) => at.length === envelopeKeyBytes && toHex(at).includes(idOf(broken!)),
  );
  const [key, value] = ofBroken.at(-1)!;
  const write = (bytes: Uint8Array) =>
    place.raw((database) => database.write([{ type: "put", key, value: bytes }]));
  const middle = value.length >> 1;
  await write(value.with(middle, value[middle]! ^ 8));
  const first = await handedOver(place.folder, (given) =>
    others.every((name) => given.includes(name)),
  );
  expect(first.undetermined).toBeGreaterThan(0);
  const report = await folded(place.folder, (undetermined) => undetermined > 0);
  expect(report).toMatchObject({ outcome: "whole", counts: { undetermined: 1, drifts: 0 } });
  await write(value);
  expect((await folded(place.folder, () => true)).counts).toMatchObject({
    undetermined: 0,
    failures: 0,
  });
  const second = await handedOver(place.folder, (given) => given.includes(broken!));
  const ofOthers = second.given.filter((name) => name !== broken);
  expect(ofOthers).toEqual([]);
  const sent = [...first.given, ...second.given].filter((name) => name === broken);
  expect(sent).toHaveLength(ofBroken.length);
});
