import type { Envelope, HeddleError, LaneDescriptor, LogFields } from "@heddle/core";
import type { ParsedUpdate } from "@heddle/document";

import { BurstIndex } from "./burst-index.ts";
import { RoundReferences } from "./round-references.ts";

/** Whoever hands in updates: one connection, one tab. Compared by identity. */
export interface UpdateSource {
  /** UTF-8; written into the envelopes that its updates are sealed in. */
  readonly principal?: Uint8Array | undefined;
  /** Written there too, see `EnvelopeContent.sourceTag`: an audit tells sources apart by it. */
  readonly tag?: Uint8Array | undefined;
  /** Bits of `EnvelopeFlag` for its envelopes; `viaGateway` unless it says otherwise. */
  readonly flags?: number;
  /** What an application says about its edits; written into the envelopes. */
  readonly reason?: Uint8Array | undefined;
  readonly correlationId?: Uint8Array | undefined;
  /** The application's own edits, made by the Yjs of this process: sealed without a trial. */
  readonly isTrusted?: boolean;
  /** What the events of this source have in common; those about its updates carry them too. */
  readonly logFields?: LogFields;
  /** Whose share of scarce things it uses; a source without one has a share of its own. */
  readonly address?: string | undefined;
  /** What it had brought, and what still waited, had to make room: it must be brought again. */
  onEvicted?(refusal: HeddleError): void;
  /**
   * Asked before an update is read at all, with what its first bytes tell.
   *
   * @throws HeddleError to have it refused at no cost.
   */
  assertAffordable?(claim: UpdateClaim): void;
  /**
   * Asked before anything changes, when an update is not a mere duplicate; once more when it was tried.
   *
   * @throws HeddleError to have the update refused: quotas are the business of whoever lets in.
   */
  assertWelcome?(facts: UpdateFacts): void;
  /** The update was taken, and is on its way to the disk: admitted, or parked for the first time. */
  onTaken?(facts: UpdateFacts): void;
  /** The store had never heard of the document before this source. A tried or refused update is none. */
  onCreation?(stage: CreationStage): void;
}

/** What a source is asked and told about its quotas. */
export type SourceQuota = Required<
  Pick<UpdateSource, "assertAffordable" | "assertWelcome" | "onTaken" | "onCreation">
>;

/** What of a new document is decided: it is on its way to the disk; it is there; the store failed. */
export type CreationStage = "begun" | "durable" | "failed";

/** What an update says of itself before it was checked. */
export interface UpdateClaim {
  /** Nothing was ever written to the document, and this would be. */
  readonly isFirst: boolean;
  /** Yjs clients that the document has. */
  readonly clients: number;
  /** Yjs clients that the update has structs of; 0 where it cannot be true. */
  readonly clientsClaimed: number;
}

/** What an update would bring, as far as quotas go. */
export interface UpdateFacts {
  /** Nothing was ever written to the document. */
  readonly isFirst: boolean;
  /** Yjs clients that the document has. */
  readonly clients: number;
  /** Yjs clients that it does not have and the update brings. */
  readonly newClients: number;
  /** As many of them would be admitted now; the rest waits for other updates. */
  readonly newClientsAdmitted: number;
}

/** Updates of one source: they are sealed into one envelope. */
export interface UpdateBurst {
  readonly source: UpdateSource;
  readonly updates: ParsedUpdate[];
  bytes: number;
  types: number;
  /** Set when they came sealed, by another replica. */
  readonly sealed?: readonly SealedUpdate[];
  /** Set when it is no update: payload of an envelope about the document or its space. */
  readonly control?: Uint8Array;
}

/** An envelope of another replica, on its way to the log. */
export interface SealedUpdate {
  readonly lane: LaneDescriptor;
  readonly envelope: Envelope;
  /** What of it is new here and belongs to the document. */
  readonly update?: ParsedUpdate | undefined;
  /** A part of it is kept out of the document (DOC-9). */
  readonly isHeld: boolean;
}

/**
 * A burst is an update of its own, which must be valid like any other: two pastes side by side may not
 * be too large, nor lists that are nested one deeper in each update too deep.
 */
const burstMax = { bytes: 1024 * 1024, types: 256 } as const;

/**
 * Updates of one document that wait for the next commit round. A burst is of one source, so that an
 * envelope speaks for one writer, and nobody is taken along when another one's is recalled (DOC-9).
 * Bursts stand in the order in which they may be logged: an update joins the last one of its source
 * unless it depends on a later one.
 */
export class PendingUpdates {
  /** When the oldest of them was handed in. */
  receivedMs: number | undefined;
  // Made with what is first in it: an empty array that is pushed to takes room for seventeen.
  #bursts: UpdateBurst[] | undefined;
  readonly #last = new BurstIndex();
  /** Made for the second source: until then nothing can stand before what it builds on. */
  #references: RoundReferences | undefined;
  /** Those whose updates are written in the same round, and shown to nobody yet. */
  #parkedBy: Set<UpdateSource> | undefined;
  #afterCommit: ((arrival: number) => void)[] | undefined;

  get isEmpty(): boolean {
    return this.#bursts === undefined;
  }

  get bursts(): readonly UpdateBurst[] {
    return this.#bursts ?? noBursts;
  }

  /** Whose updates these are. */
  get sources(): readonly UpdateSource[] {
    return this.#last.sources();
  }

  add(update: ParsedUpdate, source: UpdateSource): void {
    const { typeCount: types } = update;
    const bytes = update.bytes.length;
    let index = this.#joinedBy(update, source);
    if (index === undefined) {
      index = this.#begin({ source, updates: [update], bytes, types });
      this.#last.set(source, index);
    } else {
      const burst = this.bursts[index]!;
      burst.updates.push(update);
      burst.bytes += bytes;
      burst.types += types;
    }
    this.#references?.note(update, index);
  }

  /** Envelopes are logged as they came: nothing joins them. */
  addSealed(sealed: SealedUpdate, source: UpdateSource): void {
    const { update } = sealed;
    const { length: bytes } = update?.bytes ?? new Uint8Array();
    const updates = update ? [update] : [];
    const burst = { source, updates, bytes, types: update?.typeCount ?? 0, sealed: [sealed] };
    const index = this.#begin(burst);
    if (update) this.#references?.note(update, index);
    this.#last.set(source, index);
  }

  /** What is sealed as it is, and shown to nobody. */
  addControl(control: Uint8Array, source: UpdateSource): void {
    this.#begin({ source, updates: [], bytes: control.length, types: 0, control });
  }

  /** Something of `source` is parked with these. */
  noteParked(source: UpdateSource): void {
    (this.#parkedBy ??= new Set()).add(source);
  }

  /** Whether anything of `source` is written with these. */
  holds(source: UpdateSource): boolean {
    return this.#last.lastOf(source) >= 0 || this.#parkedBy?.has(source) === true;
  }

  /** `task` is told the number of the commit group. */
  afterCommit(task: (arrival: number) => void): void {
    if (this.#afterCommit) this.#afterCommit.push(task);
    else this.#afterCommit = [task];
  }

  runAfterCommit(arrival: number): void {
    for (const task of this.#afterCommit ?? []) task(arrival);
  }

  /** The burst that an update joins; `undefined` when it begins one. */
  #joinedBy(update: ParsedUpdate, source: UpdateSource): number | undefined {
    const index = this.#last.lastOf(source);
    const last = this.bursts[index];
    if (index < this.bursts.length - 1) this.#references ??= this.#referencesSoFar();
    const joins =
      last !== undefined &&
      hasRoom(last, update) &&
      (this.#references?.lastNeededBy(update) ?? -1) <= index;
    return joins ? index : undefined;
  }

  #begin(burst: UpdateBurst): number {
    if (this.#bursts) return this.#bursts.push(burst) - 1;
    this.#bursts = [burst];
    return 0;
  }

  #referencesSoFar(): RoundReferences {
    const references = new RoundReferences();
    for (const [index, { updates }] of this.bursts.entries()) {
      for (const update of updates) references.note(update, index);
    }
    return references;
  }
}

const noBursts: readonly UpdateBurst[] = [];

function hasRoom(burst: UpdateBurst, { bytes, typeCount }: ParsedUpdate): boolean {
  return burst.bytes + bytes.length <= burstMax.bytes && burst.types + typeCount <= burstMax.types;
}
