import {
  documentIdOf,
  EnvelopeKind,
  HybridClock,
  LaneWriter,
  MemoryDisk,
  openLane,
  openSpaceId,
  PayloadCodec,
  signRun,
  toHex,
  type Envelope,
  type LaneDescriptor,
  type LanePosition,
} from "@heddle/core";
import { expect, test } from "vitest";
import * as Y from "yjs";

import type { ApplyJudge, Verdict } from "./apply-judge.ts";
import { rightOriginFan, textOf } from "./hostile.fixture.ts";
import type { ReplicaDocument } from "./replica-document.ts";
import { environment, notes, openReplica, signer } from "./replica.fixture.ts";

const { hash, random, clock } = environment;
const document = documentIdOf(hash, openSpaceId(hash), notes);

/** A lane of another replica. */
class Author {
  readonly lane: LaneDescriptor;
  readonly #writer: LaneWriter;
  #position: LanePosition | undefined;

  private constructor(lane: LaneDescriptor, hlc: HybridClock) {
    this.lane = lane;
    this.#writer = new LaneWriter(lane, hash, hlc);
  }

  static async open(): Promise<Author> {
    const hlc = new HybridClock(clock);
    const space = openSpaceId(hash);
    return new Author(
      await openLane({ space, signer, hash, random, clock: hlc, engine: "test" }),
      hlc,
    );
  }

  /** Goes on as a copy of this author would that was made before it wrote anything. */
  forget(): void {
    this.#position = undefined;
  }

  async seal(...payloads: readonly Uint8Array[]): Promise<readonly Envelope[]> {
    const envelopes = payloads.map((payload) => {
      const envelope = this.#writer.seal(this.#position, {
        kind: EnvelopeKind.update,
        flags: 0,
        document,
        epoch: 0,
        schema: 0,
        codec: PayloadCodec.yjsV1,
        payload,
      });
      this.#position = { seq: envelope.seq, head: envelope.id };
      return envelope;
    });
    return signRun(envelopes, signer);
  }
}

/** What a text is typed as, letter by letter. */
function typed(text: string): Uint8Array[] {
  const doc = new Y.Doc();
  const updates: Uint8Array[] = [];
  doc.on("update", (update: Uint8Array) => updates.push(update));
  for (const [index, letter] of [...text].entries()) doc.getText("text").insert(index, letter);
  return updates;
}

function shown(loaded: ReplicaDocument): string {
  const doc = new Y.Doc();
  Y.applyUpdate(doc, loaded.encodeSince());
  return doc.getText("text").toString();
}

test("[LOG-3][DOC-15] a run of another replica is logged as it came, shown, and not taken twice", async () => {
  const disk = new MemoryDisk();
  const { store, replica } = await openReplica(disk);
  const author = await Author.open();
  const run = await author.seal(...typed("heddle"));
  const loaded = await replica.acquire(notes);
  const taken = await replica.takeRuns(notes, [{ lane: author.lane, run }]);
  expect(taken).toEqual({ verdicts: ["stored"], arrival: 1 });
  expect(shown(loaded)).toBe("heddle");
  const again = await replica.takeRuns(notes, [{ lane: author.lane, run }]);
  expect(again).toEqual({ verdicts: ["stored"], arrival: 0 });
  const stored: string[] = [];
  for await (const chunk of store.readLog(document)) {
    for (const { bytes } of chunk) stored.push(toHex(bytes));
  }
  expect(stored).toEqual(run.map(({ bytes }) => toHex(bytes)));
  await replica.close();
  await store.close();
  // The log proves itself to whoever opens it next.
  const next = await openReplica(disk);
  expect(shown(await next.replica.acquire(notes))).toBe("heddle");
});

test("[DOC-15] what refers to what is missing is not taken, nor what follows in its lane; both come again", async () => {
  const { replica } = await openReplica(new MemoryDisk());
  const first = await Author.open();
  const second = await Author.open();
  const [a, b, c, d] = typed("abcd");
  const earlier = await first.seal(a!);
  const later = await second.seal(b!, c!);
  const last = await second.seal(d!);
  const loaded = await replica.acquire(notes);
  const runs = [
    { lane: second.lane, run: later },
    { lane: second.lane, run: last },
  ];
  expect((await replica.takeRuns(notes, runs)).verdicts).toEqual(["incomplete", "incomplete"]);
  expect(loaded.isStored).toBe(false);
  const all = [{ lane: first.lane, run: earlier }, ...runs];
  expect((await replica.takeRuns(notes, all)).verdicts).toEqual(["stored", "stored", "stored"]);
  expect(shown(loaded)).toBe("abcd");
});

test("[WIR-12] a run that ends where another history of its lane ends is not taken for it", async () => {
  const { replica } = await openReplica(new MemoryDisk());
  const author = await Author.open();
  const [a, b, other] = [...typed("ab"), typed("x")[0]!];
  const written = await author.seal(a!, b!);
  author.forget();
  const branch = await author.seal(other!, b!);
  const loaded = await replica.acquire(notes);
  await replica.takeRuns(notes, [{ lane: author.lane, run: written }]);
  const taken = await replica.takeRuns(notes, [{ lane: author.lane, run: branch }]);
  expect(taken.verdicts).toEqual(["incomplete"]);
  expect(shown(loaded)).toBe("ab");
});

test("[DOC-15] what another replica brings frees what a client left parked", async () => {
  const { replica } = await openReplica(new MemoryDisk());
  const author = await Author.open();
  const [a, b] = typed("ab");
  const loaded = await replica.acquire(notes);
  expect(loaded.submit(b!, {})).toBe("parked");
  await replica.takeRuns(notes, [{ lane: author.lane, run: await author.seal(a!) }]);
  await loaded.whenSettled();
  expect(shown(loaded)).toBe("ab");
});

test("[DOC-15] an invalid update is refused for good, and what comes before it is not lost", async () => {
  const { replica } = await openReplica(new MemoryDisk());
  const author = await Author.open();
  const [a] = typed("a");
  const good = await author.seal(a!);
  const bad = await author.seal(Uint8Array.of(1, 2, 3));
  const { lane } = author;
  const { verdicts } = await replica.takeRuns(notes, [
    { lane, run: good },
    { lane, run: bad },
  ]);
  expect(verdicts).toEqual(["stored", "refused"]);
  expect(shown(await replica.acquire(notes))).toBe("a");
});

test("[DOC-9][DOC-15] what fails its trial is logged and held aside, after a restart too", async () => {
  const failed: Verdict = { outcome: "timeout", reason: "too slow", step: 0, stepMs: [] };
  const judge: ApplyJudge = { judge: async () => failed, close: async () => undefined };
  const isAlone: ApplyJudge = {
    ...judge,
    judge: async ({ steps }) =>
      steps.length > 0 ? failed : { outcome: "ok", stepMs: [], depth: 0 },
  };
  const disk = new MemoryDisk();
  const { replica, store } = await openReplica(disk, { judge: isAlone });
  const author = await Author.open();
  const { lane } = author;
  const harmful = await author.seal(rightOriginFan(5_000));
  const good = await author.seal(textOf("x"));
  const runs = [
    { lane, run: harmful },
    { lane, run: good },
  ];
  expect((await replica.takeRuns(notes, runs)).verdicts).toEqual(["stored", "stored"]);
  const loaded = await replica.acquire(notes);
  expect(shown(loaded)).toBe("x");
  expect(await store.readRecalls(document)).toMatchObject([
    { id: toHex(harmful[0]!.id), reason: "timeout: too slow" },
  ]);
  expect(loaded.refused.held).toBe(1);
  await replica.close();
  await store.close();
  const next = await openReplica(disk);
  expect(shown(await next.replica.acquire(notes))).toBe("x");
});

test("[DOC-15] updates of clients and of other replicas meet in one round, each in its order", async () => {
  const disk = new MemoryDisk();
  const { replica, store } = await openReplica(disk);
  const author = await Author.open();
  const theirs = typed("theirs");
  const loaded = await replica.acquire(notes);
  const ours = new Y.Doc();
  ours.getText("text").insert(0, "ours ");
  const taking = replica.takeRuns(notes, [
    { lane: author.lane, run: await author.seal(...theirs) },
  ]);
  loaded.submit(Y.encodeStateAsUpdate(ours), {});
  await taking;
  await loaded.whenSettled();
  for (const update of theirs) Y.applyUpdate(ours, update);
  expect(shown(loaded)).toBe(ours.getText("text").toString());
  await replica.close();
  await store.close();
  const next = await openReplica(disk);
  expect(shown(await next.replica.acquire(notes))).toBe(ours.getText("text").toString());
});
