import {
  decodeEnvelope,
  decodeLane,
  equalBytes,
  malformed,
  type Envelope,
  type LaneDescriptor,
  type LaneId,
} from "@heddle/core";

import type { DocumentExchange } from "./document-exchange.ts";
import type { DocumentLink } from "./document-link.ts";
import type { FrameOf } from "./frame.ts";
import { isShown, proofOf } from "./fork-proof.ts";
import { NakCode } from "./nak-code.ts";
import type { SyncContext } from "./sync-context.ts";
import type { ForkProof } from "./sync-effects.ts";
import { wireLimits } from "./wire-limits.ts";

/**
 * Forks of one document: a lane that was written twice, by a copied image or a thief of a key.
 *
 *   ids differ ──► suspected ──PULL, compare──► proven by two signatures ──► frozen, told to everybody
 *                      └── nothing differs: a damaged frame, forgotten
 *
 * A suspicion alone does nothing: only what the lane's device signed twice freezes it.
 */
export class ForkWatch {
  readonly #context: SyncContext;
  readonly #exchange: DocumentExchange;
  /** Where the histories differ at the latest. */
  readonly #suspected = new Map<LaneId, number>();
  /** Lanes of which a peer was asked for more than that, to see where they part. */
  readonly #searched = new Set<LaneId>();

  constructor(context: SyncContext, exchange: DocumentExchange) {
    this.#context = context;
    this.#exchange = exchange;
  }

  /** The peer's history of the lane is not ours, at `seq` at the latest. */
  suspect(link: DocumentLink, lane: LaneId, seq: number): void {
    if (this.#exchange.ledger.isFrozen(lane) || seq < 1) return;
    this.#suspected.set(lane, seq);
    const documentRef = link.ourRef;
    const fromSeq = this.#searched.has(lane) ? seq : this.#earliest(lane, seq);
    this.#searched.add(lane);
    link.session.send({ name: "pull", documentRef, lane, fromSeq, toSeq: seq });
  }

  /** Looks whether a run of a suspected lane differs from what is on our disk. */
  compare(link: DocumentLink, lane: LaneDescriptor, run: readonly Envelope[]): void {
    const { ledger } = this.#exchange;
    const firstSeq = run[0]!.seq;
    const suspectedSeq = this.#suspected.get(lane.id);
    if (suspectedSeq === undefined || firstSeq > ledger.durableSeq(lane.id)) return;
    const isLast = run.at(-1)!.seq >= suspectedSeq;
    if (isLast) this.#suspected.delete(lane.id);
    const document = ledger.entry.id;
    const above = new Map([[lane.id, firstSeq - 1]]);
    const bytesMax = this.#context.limits.readBytesMax;
    this.#context.request("read", { document, above, lane: lane.id, bytesMax }, (ours) => {
      const proof = proofOf(lane, ours.envelopes, run);
      if (proof) this.#verify(proof, link);
      else if (isLast) this.#searched.delete(lane.id);
    });
  }

  /**
   * As far back as a proof may reach: what it shows of a branch is kept by whoever has the other one. The
   * peer may have dropped that; asked again, it is asked for what is known to differ.
   */
  #earliest(lane: LaneId, seq: number): number {
    const floor = this.#exchange.ledger.floors.get(lane) ?? 0;
    const earliest = Math.max(floor + 1, seq - wireLimits.envelopesPerBranchMax + 1, 1);
    return Math.min(earliest, seq);
  }

  /** A peer says that a lane is forked, and shows it. `release` gives credit back. @throws HeddleError when it cannot be read. */
  receive(link: DocumentLink, frame: FrameOf<"fork">, release: () => void): void {
    const { hash } = this.#context.options;
    const lane = decodeLane(hash, frame.lane);
    const branchOf = (branch: readonly Uint8Array[]) => {
      return branch.map((bytes) => decodeEnvelope(hash, bytes));
    };
    const [branchA, branchB] = [branchOf(frame.branchA), branchOf(frame.branchB)];
    if (!this.#isFork({ lane, branchA, branchB })) throw malformed("fork", "it proves nothing");
    if (!this.#exchange.ledger.isFrozen(lane.id)) {
      return this.#verify({ lane, branchA, branchB }, link, release);
    }
    this.#agree(link, lane.id);
    release();
  }

  /** Shows a peer the forks of which it has not said that it froze them too. */
  tell(link: DocumentLink): void {
    for (const [id, { lane, branchA, branchB }] of this.#exchange.ledger.forks) {
      if (link.positions.knowsFork(id) || !isShown({ branchA, branchB })) continue;
      link.session.send({
        name: "fork",
        documentRef: link.ourRef,
        lane: lane.bytes,
        branchA: branchA.map(({ bytes }) => bytes),
        branchB: branchB.map(({ bytes }) => bytes),
      });
    }
  }

  #isFork({ lane, branchA, branchB }: ForkProof): boolean {
    const [a] = branchA;
    const [b] = branchB;
    if (a === undefined || b === undefined || a.seq !== b.seq || equalBytes(a.id, b.id)) {
      return false;
    }
    const document = this.#exchange.ledger.entry.id;
    return [...branchA, ...branchB].every((envelope) => {
      return envelope.lane === lane.id && envelope.document === document;
    });
  }

  #verify(proof: ForkProof, origin: DocumentLink, done: () => void = () => {}): void {
    const { lane, branchA, branchB } = proof;
    this.#context.request("verifyRun", { lane, isLaneNew: true, run: branchA }, (isGoodA) => {
      if (!isGoodA) {
        done();
        return this.#refute();
      }
      this.#context.request("verifyRun", { lane, isLaneNew: false, run: branchB }, (isGoodB) => {
        done();
        if (isGoodB) this.#freeze(proof, origin);
        else this.#refute();
      });
    });
  }

  #refute(): void {
    this.#context.counters.signaturesBad++;
  }

  #freeze(proof: ForkProof, origin: DocumentLink): void {
    const { ledger } = this.#exchange;
    const { id } = proof.lane;
    if (ledger.isFrozen(id)) return;
    this.#context.counters.forks++;
    for (const branch of [proof.branchA, proof.branchB]) {
      const here = ledger.idAt(id, branch[0]!.seq);
      const isHere = here !== undefined && equalBytes(here, branch[0]!.id);
      if (!isHere) this.#context.counters.forkEnvelopesKept += branch.length;
    }
    this.#exchange.takeBack(id);
    ledger.freeze(proof);
    const document = ledger.entry.id;
    this.#context.emit({ type: "keepFork", document, proof });
    const { entry } = ledger;
    const { seq } = proof.branchA[0]!;
    const event = { name: "lane.forked", entry, document, lane: id, seq } as const;
    this.#context.emit({ type: "event", event });
    for (const link of this.#context.linksOf(document)) {
      this.tell(link);
      link.changed();
    }
    this.#agree(origin, id);
  }

  /** Says that the lane is frozen here too, which ends the telling. */
  #agree(link: DocumentLink, lane: LaneId): void {
    this.#exchange.nak(link, lane, 1, NakCode.forked);
  }
}
