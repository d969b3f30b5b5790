import type { SimScenario } from "@heddle/testkit";

/** A mistake that somebody could make: one place in the built code, and what it becomes. */
export interface PlantedBug {
  readonly name: string;
  /** Relative to `packages/`. */
  readonly file: string;
  /** Must occur exactly once, so that a patch that no longer fits is noticed. */
  readonly find: string;
  readonly replace: string;
  readonly scenario?: SimScenario | "members" | "withheld";
  /** Where the search begins, for a mistake that shows in one of a thousand worlds. */
  readonly fromSeed?: number;
}

export const plantedBugs: readonly PlantedBug[] = [
  {
    name: "skip a sync: an append is answered before it is on disk",
    file: "testkit/dist/simulation/sim-disk.js",
    find: "record]), done });",
    replace: "record]), done: () => {} });\n        this.#time.after(0.01, () => done(true));",
  },
  {
    name: "ack before sync: what was accepted counts as stored",
    file: "sync/dist/document-exchange.js",
    find: "this.ledger.accept(run);\n        this.#queue.push(pending);",
    replace:
      "this.ledger.accept(run); this.ledger.stored(run);\n        this.#queue.push(pending);",
  },
  {
    name: "resume a lane: a start goes on where the last one ended",
    file: "testkit/dist/simulation/sim-author.js",
    find: "const lane = await openLane({",
    replace: `const { store, signer } = this.#process;
            const own = [...store.lanes.values()].find((lane) => lane.devicePublicKey.join() === signer.devicePublicKey.join());
            if (own) for (const [id, { vector }] of store.documents) if (vector.has(own.id)) this.#positions.set(id, vector.get(own.id));
            const lane = own ?? await openLane({`,
  },
  {
    name: "drop the fence: a failed write is taken for a good one",
    file: "sync/dist/document-exchange.js",
    find: 'if (answer.outcome === "failed")\n                return this.#troubles.onFailure();\n            this.#settle',
    replace:
      'if (answer.outcome === "failed") answer = { outcome: "stored", verdicts: batch.map(() => "stored"), arrival: 0 };\n            this.#settle',
  },
  {
    name: "compare less than the log: any digest is ours",
    file: "sync/dist/document-link.js",
    find: "if (equalBytes(have.digest, this.exchange.ledger.digest)) {",
    replace: "if (have.digest.length > 0) {",
  },
  {
    name: "accept a gap",
    file: "core/dist/accept.js",
    find: "if (envelope.seq > seq + 1) {",
    replace:
      'if (envelope.seq > seq + 1) return { outcome: "applied", position: { seq: envelope.seq, head: envelope.id } };\n    if (envelope.seq > seq + 1) {',
  },
  {
    name: "evict the ledger: lanes not heard of lately are forgotten",
    file: "sync/dist/document-ledger.js",
    find: "this.#durable.set(last.lane, position);",
    replace:
      "this.#durable.set(last.lane, position); if (this.#durable.size > 2) this.#durable.delete(this.#durable.keys().next().value);",
  },
  {
    name: "believe any signature",
    file: "sync/dist/document-exchange.js",
    find: "if (isGood)\n                this.#verified(pending);",
    replace: "if (isGood || true)\n                this.#verified(pending);",
    scenario: "damaged",
    // The eighth world needs a minute to find out that it does not come to rest.
    fromSeed: 9,
  },
  {
    name: "leave out what a run follows, though the peer asked for it",
    file: "sync/dist/link-pusher.js",
    find: "this.#inFull.add(lane);",
    replace: "void lane;",
    scenario: "clones",
    fromSeed: 160,
  },
  {
    name: "forget to give credit back",
    file: "sync/dist/document-exchange.js",
    find: "for (const { release } of batch)",
    replace: "for (const { release } of [])",
    fromSeed: 760,
  },
  {
    name: "say CURSOR once",
    file: "sync/dist/peer-session.js",
    find: "if (this.#asked && nowMs >= this.#asked.dueMs)",
    replace: "if (false)",
    fromSeed: 95,
  },
  {
    name: "forget what is written while a document is being loaded",
    file: "sync/dist/open-documents.js",
    find: "open?.waiting.push((exchange) => exchange && then(exchange));",
    replace: "open?.waiting.push(() => {});",
  },
  {
    name: "send before storing: local changes are offered when they are sealed",
    file: "testkit/dist/simulation/sim-author.js",
    find: "engine.sealed(sealed);",
    replace:
      "engine.sealed(sealed); replication.storedHere(entry, (await signRun([sealed], signer)), lane, this.#process.store.lastArrival, this.#process.nowMs);",
  },
  {
    name: "ignore a number that the peer never heard",
    file: "sync/dist/session-documents.js",
    find: "if (kind === RefKind.lane) {",
    replace: "if (kind === RefKind.lane) { return;",
    scenario: "damaged",
    fromSeed: 285,
  },
  {
    name: "push lane after lane instead of in the order of arrival",
    file: "sync/dist/link-pusher.js",
    find: "this.#pushAll(envelopes, lanes);",
    replace:
      "this.#pushAll(envelopes.toSorted((a, b) => a.lane < b.lane ? -1 : a.lane > b.lane ? 1 : a.seq - b.seq), lanes);",
    scenario: "sound",
  },
  {
    name: "never ask for what was announced",
    file: "sync/dist/lane-sources.js",
    find: "if (source?.isHeld !== true)",
    replace: "if (true)",
  },
  {
    name: "take at once what builds on what was only announced",
    file: "sync/dist/held-runs.js",
    find: "if ((!isBehind && causes.size === 0) || isFull)",
    replace: "if (true)",
    scenario: "sound",
  },
  {
    name: "prune above the checkpoint: what was written meanwhile goes too",
    file: "testkit/dist/simulation/sim-checkpoints.js",
    find: "prunes ? seqsOf(checkpoint.vector)",
    replace: "prunes ? seqsOf(this.#process.store.documents.get(entry.id).vector)",
    scenario: "pruned",
  },
  {
    name: "adopt a checkpoint that omits own acked work, which is dropped from the log here",
    file: "testkit/dist/simulation/sim-checkpoints.js",
    find: "const mayReplace = reachesFloors(",
    replace: "const mayReplace = true || reachesFloors(",
    scenario: "pruned",
  },
  {
    name: "push what is above the floor to who is below it",
    file: "sync/dist/checkpoint-sender.js",
    find: "const isNeeded = this.#link.positions.isBelow(floors);",
    replace: "const isNeeded = false;",
    scenario: "pruned",
  },
  {
    name: "say MARK while a document is being loaded",
    file: "sync/dist/feed-followers.js",
    find: "opening.size === 0 && unopened",
    replace: "unopened",
    // Others find it when they compare libraries.
    scenario: "older",
    fromSeed: 1_010,
  },
  {
    name: "do not offer what only one library has",
    file: "sync/dist/compare-libraries.js",
    find: "their === undefined || ",
    replace: "their !== undefined && ",
    scenario: "strangers",
  },
  {
    name: "keep in memory what a session had open that is over",
    file: "sync/dist/open-documents.js",
    find: "if (document.links.delete(session))",
    replace: "document.links.delete(session); if (false)",
  },
  {
    name: "overlook a fork",
    file: "sync/dist/fork-watch.js",
    find: "this.#suspected.set(lane, seq);",
    replace: "void seq;",
    scenario: "clones",
  },
  {
    name: "take one's own lane from a twin",
    file: "sync/dist/document-exchange.js",
    find: "if (lane.id === this.#context.writtenLane &&",
    replace: "if (false &&",
    scenario: "clones",
  },
  {
    name: "believe what is shown: it is never compared with the disk",
    file: "reconcile/dist/classify-drift.js",
    find: "if (shownLacks || differ(shown, rebuilt ?? refolded)) {",
    replace: "if (false) {",
    scenario: "drifting",
  },
  {
    name: "members: accept above the cut what arrives after it",
    file: "replica/dist/space/space-members.js",
    find: "last && last.seq > allowedSeq",
    replace: "last && last.seq < 1",
    scenario: "members",
    fromSeed: 6,
  },
  {
    name: "members: show what was taken before the cut was known",
    file: "replica/dist/reopened-documents.js",
    find: "if (isSame)",
    replace: "if (!isSame)",
    scenario: "members",
    fromSeed: 4,
  },
  {
    name: "members: show what builds on what does not count",
    file: "replica/dist/load-document.js",
    find: "new LogReading(recalled, uncounted)",
    replace: "new LogReading(recalled)",
    scenario: "members",
    fromSeed: 4,
  },
  {
    name: "members: who was heard first decides, when two remove each other",
    file: "core/dist/membership/membership-log.js",
    find: "return holds?.has(node) ? ",
    replace: "return holds?.has(node) && (this.membership.roleOf(record.by) ?? 0) > 3 ? ",
    scenario: "members",
    fromSeed: 7,
  },
  {
    name: "withheld: open a document with whoever is to be told of it",
    file: "sync/dist/open-documents.js",
    find: "if (!this.#context.rules.lets(session, entry))",
    replace: "if (false)",
    scenario: "withheld",
  },
  {
    name: "withheld: go by the rule as it was when the session began",
    file: "replica/dist/peers/peer-host.js",
    find: "if (hasLost || this.#offered)",
    replace: "if (hasLost)",
    scenario: "withheld",
    fromSeed: 20,
  },
];
