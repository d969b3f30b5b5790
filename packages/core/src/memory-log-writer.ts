import { arrivalRunsOf, isNumbered } from "./arrival-runs.ts";
import { assert } from "./assert.ts";
import type { Envelope } from "./envelope.ts";
import { compareHlc } from "./hybrid-clock.ts";
import { limits } from "./limits.ts";
import type { ArrivalRun, CheckpointAdoption, DocumentEntry, LogBatch } from "./log-store.ts";
import { MemoryCheckpoints } from "./memory-checkpoints.ts";
import {
  copyOf,
  copyOfParked,
  copyOfQuarantined,
  copyOfRecalled,
  copyOfVector,
} from "./memory-copies.ts";
import type { MemoryDisk } from "./memory-disk.ts";

/**
 * Writes a batch to a disk in memory, and numbers it if it is news for those who follow the feed.
 *
 * @throws Error when an invariant is broken, a mistake of the programmer: the disk may then hold a part of
 *   the batch.
 */
export function writeMemoryBatch(disk: MemoryDisk, batch: LogBatch): void {
  assert(
    Object.values(batch).some((part) => part.length > 0),
    "a batch has a part",
  );
  disk.peers.assertSound(batch);
  for (const adoption of batch.adopt ?? []) assertAdoptable(disk, batch, adoption);
  for (const lane of batch.lanes ?? []) {
    disk.lanes.set(lane.id, { ...lane, bytes: copyOf(lane.bytes) });
  }
  for (const entry of batch.documents ?? []) putDocument(disk, entry);
  for (const envelope of batch.envelopes ?? []) putEnvelope(disk, envelope);
  // Envelopes are all there, and whole, as long as memory does not lie.
  for (const { document, checkpoints } of batch.mend ?? []) {
    disk.document(document).checkpoints.drop(checkpoints ?? []);
  }
  for (const { document, vector } of batch.vectors ?? []) {
    const onDisk = disk.document(document);
    onDisk.vector = copyOfVector(vector);
    onDisk.dirty = false;
  }
  for (const { document, id } of batch.release ?? []) disk.document(document).parked.delete(id);
  for (const { document, update } of batch.park ?? []) {
    const { parked } = disk.document(document);
    if (!parked.has(update.id)) parked.set(update.id, copyOfParked(update));
  }
  for (const { document, update } of batch.quarantine ?? []) {
    disk.document(document).quarantine.set(update.id, copyOfQuarantined(update));
  }
  for (const { document, envelope } of batch.recall ?? []) {
    disk.document(document).recalls.set(envelope.id, copyOfRecalled(envelope));
  }
  for (const checkpoint of batch.checkpoints ?? []) {
    disk.document(checkpoint.document).checkpoints.add(checkpoint);
  }
  for (const prune of batch.prune ?? []) {
    const onDisk = disk.document(prune.document);
    const { checkpoints, log } = onDisk;
    checkpoints.prune(prune, (lane, count) => log.get(lane)?.splice(0, count));
    onDisk.arrived = onDisk.arrived.filter(({ lane, seq }) => seq > checkpoints.floorOf(lane));
  }
  for (const adoption of batch.adopt ?? []) adopt(disk, adoption);
  disk.peers.write(batch);
  for (const bytes of batch.audit ?? []) putAudit(disk, bytes);
  if (isNumbered(batch)) {
    const number = ++disk.lastArrival;
    const adopted = (batch.adopt ?? []).flatMap(adoptedEnds);
    const runs = arrivalRunsOf([...(batch.envelopes ?? []), ...adopted]);
    disk.arrivals.push({ number, runs });
  }
  if (batch.prune || batch.adopt) dropArrivals(disk);
}

function putDocument(disk: MemoryDisk, entry: DocumentEntry): void {
  const onDisk = disk.documents.get(entry.id);
  if (onDisk) onDisk.entry = entry;
  else {
    disk.documents.set(entry.id, {
      entry,
      vector: new Map(),
      dirty: false,
      log: new Map(),
      arrived: [],
      parked: new Map(),
      quarantine: new Map(),
      recalls: new Map(),
      checkpoints: new MemoryCheckpoints(),
    });
  }
}

function assertAdoptable(
  disk: MemoryDisk,
  { documents }: LogBatch,
  adoption: CheckpointAdoption,
): void {
  const onDisk = disk.documents.get(adoption.document);
  const isNew = documents?.some(({ id }) => id === adoption.document) ?? false;
  assert(onDisk !== undefined || isNew, "a document is known before a checkpoint is adopted");
  (onDisk?.checkpoints ?? new MemoryCheckpoints()).assertAdoptable(adoption);
}

function adopt(disk: MemoryDisk, adoption: CheckpointAdoption): void {
  const onDisk = disk.document(adoption.document);
  const { checkpoints, log } = onDisk;
  for (const lane of adoption.floors.keys()) {
    if (!disk.lanes.has(lane)) disk.lanes.set(lane, undefined);
  }
  checkpoints.adopt(adoption, (lane, count) => log.get(lane)?.splice(0, count));
  onDisk.arrived = onDisk.arrived.filter(({ lane, seq }) => seq > checkpoints.floorOf(lane));
  if (adoption.floors.size > 0) onDisk.dirty = true;
}

function putEnvelope(disk: MemoryDisk, envelope: Envelope): void {
  const isKnown = disk.lanes.get(envelope.lane) !== undefined;
  assert(isKnown, "a lane is known before its first envelope");
  const onDisk = disk.document(envelope.document);
  const log = onDisk.log.get(envelope.lane) ?? [];
  const floor = onDisk.checkpoints.floorOf(envelope.lane);
  const isNext = envelope.seq === floor + log.length + 1;
  assert(isNext, "a lane has no gaps and no second writer (I1, I2)");
  log.push(copyOf(envelope.bytes));
  onDisk.log.set(envelope.lane, log);
  onDisk.arrived.push({ lane: envelope.lane, seq: envelope.seq });
  onDisk.dirty = true;
  if (compareHlc(envelope.hlc, disk.lastHlc) > 0) disk.lastHlc = envelope.hlc;
}

/** Numbers go on where the last entry was, and so does the journal when it is full. */
function putAudit({ audit }: MemoryDisk, bytes: Uint8Array): void {
  assert(bytes.length <= limits.auditEntryBytesMax, "an audit entry keeps its cap");
  audit.push({ number: (audit.at(-1)?.number ?? 0) + 1, bytes: copyOf(bytes) });
  if (audit.length > limits.auditEntriesMax) audit.shift();
}

/** Groups at the beginning of the feed of which nothing is left; the last one stays. */
function dropArrivals(disk: MemoryDisk): void {
  const { arrivals } = disk;
  const isGone = ({ document, lane, toSeq }: ArrivalRun): boolean => {
    return disk.floorOf(document, lane) >= toSeq;
  };
  while (arrivals.length > 1 && arrivals[0]!.runs.every(isGone)) arrivals.shift();
}

function adoptedEnds({ document, floors }: CheckpointAdoption) {
  return [...floors].map(([lane, seq]) => ({ document, lane, seq }));
}
