import type { DocumentId } from "@heddle/core";
import {
  classifyDrift,
  nextDriftCase,
  openDriftCase,
  outcomeOf,
  type ContentDigests,
  type DriftCase,
  type DriftEvent,
  type DriftFinding,
} from "@heddle/reconcile";
import type { Replication } from "@heddle/sync";
import { encodeUtf8 } from "lib0/string";

import { testHash } from "../test-environment.ts";
import { loadInto } from "./sim-checkpoints.ts";
import type { SimEngine, SimEngineFactory } from "./sim-engine.ts";
import type { SimRandom } from "./sim-random.ts";
import type { SimStore } from "./sim-store.ts";
import type { SimTime } from "./sim-time.ts";

/** What a case of drift works on: one start of a replica. */
export interface SimDriftParts {
  readonly store: SimStore;
  readonly engine: SimEngine;
  readonly makeEngine: SimEngineFactory;
  readonly random: SimRandom;
  readonly time: SimTime;
  readonly replication: Replication;
  /** Nothing is between memory and disk, and the process is not over. */
  readonly isIdle: () => boolean;
  readonly isOver: () => boolean;
  readonly drain: () => void;
  /** How often what is shown is compared with the disk; never where it is missing. */
  readonly auditMs: number | undefined;
  /** An entry of the journal. */
  readonly note: (entry: string) => void;
}

interface OpenCase {
  state: DriftCase;
  /** Of the peer that it was compared with, if it was. */
  theirs: ContentDigests | undefined;
  /** Who waits for a peer's answer, counted so that an old answer is nobody's. */
  asked: number;
}

const waitMs = 2_000;
const answerMsMax = 15_000;
const idleMs = 50;

/** Repairs what is shown by a simulated replica, as the kernel says: its own state machine decides. */
export class SimDrift {
  /** Documents whose state in memory was damaged, and that nobody has repaired and written down. */
  readonly damaged = new Set<DocumentId>();
  readonly #parts: SimDriftParts;
  readonly #cases = new Map<DocumentId, OpenCase>();

  constructor(parts: SimDriftParts) {
    this.#parts = parts;
    if (parts.auditMs !== undefined) this.#later(parts.auditMs, () => this.#audit(parts.auditMs!));
  }

  /** A bit of what is shown turns. */
  damage(document: DocumentId): boolean {
    const isDone = this.#parts.engine.damage?.(document) ?? false;
    if (isDone) this.damaged.add(document);
    return isDone;
  }

  drifted(document: DocumentId, theirs: ContentDigests): void {
    const open = this.#cases.get(document);
    if (open) {
      open.theirs = theirs;
      if (open.state.name === "verifying")
        return this.#looked(document, open, this.#look(document, theirs));
      if (open.state.name !== "degraded") return;
      this.#say(open, { name: "retried" });
      return this.#goOn(document, open);
    }
    const finding = this.#look(document, theirs);
    if (finding) this.#open(document, finding, theirs);
  }

  agreed(document: DocumentId): void {
    const open = this.#cases.get(document);
    if (open === undefined || open.state.name === "repairing") return;
    this.#looked(document, open, undefined);
  }

  /** Peers that are damaged alike agree with each other: only the disk says otherwise. */
  #audit(auditMs: number): void {
    const { store, isIdle } = this.#parts;
    if (!isIdle()) return this.#later(idleMs, () => this.#audit(auditMs));
    for (const document of store.documents.keys()) {
      const finding = this.#cases.has(document) ? undefined : this.#look(document, undefined);
      if (finding) this.#open(document, finding);
    }
    this.#later(auditMs, () => this.#audit(auditMs));
  }

  #open(document: DocumentId, finding: DriftFinding, theirs?: ContentDigests): void {
    const opened: OpenCase = { state: openDriftCase(finding), theirs, asked: 0 };
    this.#cases.set(document, opened);
    this.#goOn(document, opened);
  }

  #look(document: DocumentId, theirs: ContentDigests | undefined): DriftFinding | undefined {
    const { engine, makeEngine, random, store } = this.#parts;
    const fresh = makeEngine(random);
    const stored = store.documents.get(document);
    if (stored) loadInto(fresh, stored);
    return classifyDrift({
      logs: theirs ? "equal" : "unknown",
      hasGap: false,
      lacksDependency: false,
      damages: 0,
      forks: 0,
      shown: digestsOf(engine, document),
      rebuilt: digestsOf(fresh, document),
      theirs,
    });
  }

  #say(open: OpenCase, event: DriftEvent): void {
    open.state = nextDriftCase(open.state, event);
  }

  #looked(document: DocumentId, open: OpenCase, finding: DriftFinding | undefined): void {
    open.asked++;
    this.#say(open, { name: "looked", finding, nowMs: this.#parts.time.nowMs });
    this.#goOn(document, open);
  }

  #goOn(document: DocumentId, open: OpenCase): void {
    const { time } = this.#parts;
    const { state } = open;
    if (state.name === "repairing") {
      if (state.step === "reloaded") this.#reload(document, open);
      else this.#later(waitMs, () => this.#stepped(document, open));
    } else if (state.name === "verifying") this.#verify(document, open);
    else if (state.name === "resting") {
      this.#later(state.dueMs - time.nowMs, () => {
        this.#say(open, { name: "woke", nowMs: time.nowMs });
        this.#goOn(document, open);
      });
    } else this.#conclude(document, open);
  }

  #stepped(document: DocumentId, open: OpenCase): void {
    this.#say(open, { name: "stepped" });
    this.#goOn(document, open);
  }

  /** From the disk, when nothing is on its way there. */
  #reload(document: DocumentId, open: OpenCase): void {
    const { engine, store, isIdle } = this.#parts;
    if (!isIdle()) return this.#later(idleMs, () => this.#reload(document, open));
    engine.forget?.(document);
    const stored = store.documents.get(document);
    if (stored) loadInto(engine, stored);
    this.#stepped(document, open);
  }

  #verify(document: DocumentId, open: OpenCase): void {
    const { replication, time, drain } = this.#parts;
    const here = this.#look(document, undefined);
    if (here || open.theirs === undefined) return this.#looked(document, open, here);
    const asked = ++open.asked;
    replication.compare(document, time.nowMs);
    this.#later(answerMsMax, () => {
      if (open.asked === asked) this.#looked(document, open, open.state.finding);
    });
    drain();
  }

  #conclude(document: DocumentId, open: OpenCase): void {
    const outcome = outcomeOf(open.state);
    if (outcome === undefined) return;
    const { cause, side } = open.state.first;
    this.#parts.note(
      `${document.slice(0, 4)} ${cause} ${side} ${outcome.action} ${outcome.result}`,
    );
    if (open.state.name !== "repaired") return;
    this.#cases.delete(document);
    if (open.state.all.includes("reloaded")) this.damaged.delete(document);
  }

  #later(delayMs: number, work: () => void): void {
    this.#parts.time.after(Math.max(0, delayMs), () => {
      if (!this.#parts.isOver()) work();
    });
  }
}

function digestsOf(engine: SimEngine, document: DocumentId): ContentDigests {
  const state = testHash.sha256(encodeUtf8(engine.digest(document)));
  return { engine: "simulated", state };
}
