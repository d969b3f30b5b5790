import {
  HeddleError,
  HeddleErrorCode,
  isHeddleError,
  isReleased,
  PayloadCodec,
  toHex,
  type DocumentEntry,
  type Envelope,
  type Environment,
  type LaneId,
  type LanePosition,
  type LogStore,
  type StoredDocument,
} from "@heddle/core";
import {
  admitUpdate,
  DocumentKnowledge,
  HeldClocks,
  parseStored,
  UpdateFold,
  type ParsedUpdate,
} from "@heddle/document";

import { LogSize } from "./log-size.ts";
import { Parking } from "./parking.ts";
import { Quarantine } from "./quarantine.ts";
import { walkLog } from "./walk-log.ts";

/** What the log says about a document, as loaded. */
export interface LoadedLog {
  readonly entry: DocumentEntry;
  /** False while the store has never heard of the document. */
  readonly isStored: boolean;
  /** True when the log reaches beyond the vector that was last kept. */
  readonly hasNewPositions: boolean;
  readonly positions: Map<LaneId, LanePosition>;
  /** All that is accepted, on disk or on its way there. */
  readonly knowledge: DocumentKnowledge;
  /** All that is on disk, and so all that may be shown. */
  readonly fold: UpdateFold;
  readonly parking: Parking;
  readonly quarantine: Quarantine;
  /** What recalls keep out of the document (DOC-9). */
  readonly held: HeldClocks;
  /** Envelopes that are held aside, in whole or in part. */
  readonly heldEnvelopes: number;
  readonly size: LogSize;
}

/**
 * Reads a document from its log into memory, without a Y.Doc. A document that the store has never
 * heard of loads empty, and stays unknown to the store until something is written.
 *
 * @throws HeddleError `HEDDLE_STORAGE_CORRUPT` when the log does not prove itself.
 */
export async function loadDocument(
  store: LogStore,
  environment: Environment,
  entry: DocumentEntry,
): Promise<LoadedLog> {
  const stored = await store.readDocument(entry.id);
  const positions = new Map<LaneId, LanePosition>();
  const reading = await LogReading.open(store, stored);
  if (stored) {
    const walk = { store, hash: environment.hash, document: stored, positions };
    for await (const envelope of walkLog(walk)) reading.add(envelope);
  }
  const { knowledge, fold, held, heldEnvelopes, size } = reading;
  return {
    entry,
    isStored: stored !== undefined,
    hasNewPositions: stored?.dirty ?? false,
    positions,
    knowledge,
    fold,
    parking: new Parking(environment, stored ? await store.readParked(entry.id) : []),
    quarantine: new Quarantine(environment, stored ? await store.readQuarantine(entry.id) : []),
    held,
    heldEnvelopes,
    size,
  };
}

/** Adds up envelopes in the order of the log; skips recalled ones and what depends on them (DOC-9). */
export class LogReading {
  readonly knowledge = new DocumentKnowledge();
  readonly fold = new UpdateFold();
  readonly held = new HeldClocks();
  heldEnvelopes = 0;
  readonly size = new LogSize();
  readonly #recalled: ReadonlySet<string>;

  /** @param recalled ids of envelopes in hex. */
  constructor(recalled: ReadonlySet<string>) {
    this.#recalled = recalled;
  }

  static async open(store: LogStore, document: StoredDocument | undefined): Promise<LogReading> {
    const recalls = document ? await store.readRecalls(document.id) : [];
    const inForce = recalls.filter((recall) => !isReleased(recall));
    return new LogReading(new Set(inForce.map(({ id }) => id)));
  }

  /** Returns what of it belongs to the document. */
  add(envelope: Envelope): ParsedUpdate | undefined {
    if (envelope.codec !== PayloadCodec.yjsV1) return undefined;
    const update = parsePayload(envelope);
    this.size.addEnvelope(envelope.payload);
    this.size.addUpdate(update);
    const part = this.#recalled.size === 0 ? update : this.#partOf(envelope, update);
    if (part === undefined) return undefined;
    this.knowledge.learn(part);
    this.fold.append(part);
    return part;
  }

  #partOf(envelope: Envelope, update: ParsedUpdate): ParsedUpdate | undefined {
    if (this.#recalled.has(toHex(envelope.id))) {
      this.#hold(update);
      return undefined;
    }
    const { admitted, parked } = admitUpdate(this.knowledge, update);
    if (parked) this.#hold(parseStored(parked));
    return admitted;
  }

  #hold(update: ParsedUpdate): void {
    this.held.hold(update);
    this.heldEnvelopes++;
  }
}

/** Its size was checked when it was admitted; what it was cut to may be a few bytes longer. */
function parsePayload({ payload, lane, seq, document }: Envelope): ParsedUpdate {
  try {
    return parseStored(payload);
  } catch (cause) {
    if (!isHeddleError(cause)) throw cause;
    const message = `envelope ${seq} of lane ${lane} in document ${document} holds no valid update`;
    throw new HeddleError(HeddleErrorCode.storageCorrupt, message, { cause });
  }
}
