import { equalBytes, HeddleErrorCode, isHeddleError } from "@heddle/core";
import { mergeParsed, parseUpdate, type ParsedUpdate } from "@heddle/document";

/** Whoever hands in updates: one connection, one tab. Compared by identity. */
export interface UpdateSource {
  /** UTF-8; written into the envelopes that its updates are sealed in. */
  readonly principal?: Uint8Array | undefined;
  /**
   * Asked before anything changes, when an update is not a mere duplicate.
   *
   * @throws HeddleError to have the update refused: quotas are the business of whoever lets in.
   */
  assertWelcome?(facts: UpdateFacts): void;
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

/** Consecutive updates of one principal: they are sealed into one envelope. */
export interface UpdateBurst {
  readonly principal: Uint8Array | undefined;
  readonly updates: ParsedUpdate[];
  bytes: number;
  types: number;
}

/**
 * A burst is an update of its own, which must be valid like any other: two pastes side by side may not
 * be too large, nor lists that are nested one deeper in each update too deep.
 */
const burstMax = { bytes: 1024 * 1024, types: 256 } as const;

/**
 * Updates of one document that wait for the next commit round. A burst ends where the principal
 * changes, so that an envelope speaks for one of them and never precedes what it depends on.
 */
export class PendingUpdates {
  /** When the oldest of them was handed in. */
  receivedMs: number | undefined;
  readonly bursts: UpdateBurst[] = [];
  readonly sources = new Set<UpdateSource>();
  readonly #afterCommit: (() => void)[] = [];

  get isEmpty(): boolean {
    return this.bursts.length === 0;
  }

  add(update: ParsedUpdate, source: UpdateSource): void {
    const last = this.bursts.at(-1);
    if (last && isSame(last.principal, source.principal) && hasRoom(last, update)) {
      last.updates.push(update);
      last.bytes += update.bytes.length;
      last.types += update.typeCount;
    } else {
      const { bytes, typeCount } = update;
      const burst = { bytes: bytes.length, types: typeCount, updates: [update] };
      this.bursts.push({ principal: source.principal, ...burst });
    }
    this.sources.add(source);
  }

  afterCommit(task: () => void): void {
    this.#afterCommit.push(task);
  }

  runAfterCommit(): void {
    for (const task of this.#afterCommit) task();
  }
}

function isSame(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a === undefined || b === undefined ? a === b : equalBytes(a, b);
}

function hasRoom(burst: UpdateBurst, { bytes, typeCount }: ParsedUpdate): boolean {
  return burst.bytes + bytes.length <= burstMax.bytes && burst.types + typeCount <= burstMax.types;
}

/**
 * What a burst is sealed as: one payload, or one for each update where together they would be refused.
 * That is so when one of them names as its parent what another one holds, and that is no shared type.
 */
export function payloadsOf({ updates }: UpdateBurst): readonly Uint8Array[] {
  const merged = mergeParsed(updates);
  const isSure = updates.length === 1 || !updates.some((update) => update.hasParentIds);
  return isSure || isValid(merged) ? [merged] : updates.map(({ bytes }) => bytes);
}

function isValid(update: Uint8Array): boolean {
  try {
    parseUpdate(update);
    return true;
  } catch (error) {
    if (isHeddleError(error, HeddleErrorCode.updateMalformed)) return false;
    throw error;
  }
}
