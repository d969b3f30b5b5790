import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";

import {
  HeddleError,
  HeddleErrorCode,
  isHeddleError,
  toHex,
  type DocumentEntry,
  type LogBatch,
  type LogStore,
  type StoreId,
} from "@heddle/core";
import { openDeviceKey } from "@heddle/replica/node";
import {
  deviceKeyName,
  logFolderName,
  openLevelDatabase,
  openLevelStore,
  type LevelLogStore,
  type Entry,
  type LogDatabase,
} from "@heddle/storage-level";
import {
  collect,
  collectChunks,
  testDocument,
  TestWriter,
  type TestEnvironment,
} from "@heddle/testkit";

/** A data folder that goes with its test. */
export class StoreFolder implements AsyncDisposable {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async make(): Promise<StoreFolder> {
    return new StoreFolder(await mkdtemp(path.join(tmpdir(), "heddle-faults-")));
  }

  /** In memory, where there is such a file system: for what is damaged and never loses power. */
  static async makeQuick(): Promise<StoreFolder> {
    const place = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();
    return new StoreFolder(await mkdtemp(path.join(place, "heddle-faults-")));
  }

  get logFolder(): string {
    return path.join(this.folder, logFolderName);
  }

  /** Works on the records themselves, past all checks of the store. */
  async raw<Result>(work: (database: LogDatabase) => Promise<Result>): Promise<Result> {
    const database = await openLevelDatabase(this.logFolder, { createIfMissing: false });
    try {
      return await work(database);
    } finally {
      await database.close();
    }
  }

  /** Every record, in the order of keys. */
  async entries(): Promise<Entry[]> {
    const everything = { gte: new Uint8Array(), lt: Uint8Array.of(0xff) };
    return this.raw((database) => collectChunks(database.entries(everything)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }
}

export interface Filling {
  /**
   * Also a dirty document, one without envelopes and a parked update: nothing else in the store names
   * the last envelopes of the first and the others, so that their loss is for the scrub to find.
   */
  readonly loose: boolean;
}

/** Fills a store and closes it; returns the names of its documents. With `loose` it has records of every kind. */
export async function fillStore(
  folder: string,
  environment: TestEnvironment,
  { loose }: Filling,
): Promise<string[]> {
  const store = await openLevelStore(folder, { environment });
  const names = ["kept", "second", ...(loose ? ["waiting", "empty"] : [])];
  const documents = names.map((name) => testDocument(environment, name));
  const [kept, second, waiting] = documents.map(({ id }) => id);
  const writers = [await TestWriter.open(environment), await TestWriter.open(environment)];
  await store.append({ documents, lanes: writers.map(({ lane }) => lane) });
  for (let round = 1; round <= 4; round++) {
    for (const [index, writer] of writers.entries()) {
      const payload = environment.random.bytes(100 * round + index);
      await store.append({
        envelopes: [writer.seal(kept!, payload), writer.seal(second!, payload)],
      });
    }
    if (round === 3) await keep(store, writers, [kept!, second!]);
  }
  await keep(store, writers, loose ? [kept!] : [kept!, second!]);
  if (waiting) {
    const update = environment.random.bytes(50);
    const parked = { id: toHex(update.subarray(0, 16)), update, parkedAtMs: 1234 };
    await store.append({ park: [{ document: waiting, update: parked }] });
    await store.append(peerRecords(waiting, writers[0]!));
  }
  await store.close();
  return names;
}

/** Something of every kind that a store keeps about others. */
export function peerRecords(document: DocumentEntry["id"], writer: TestWriter): LogBatch {
  const store = "9e".repeat(16) as StoreId;
  const { lane } = writer;
  const branch = (byte: number) => [writer.seal(document, Uint8Array.of(0, byte)).bytes];
  const fork = { document, lane, seq: 1, branchA: branch(1), branchB: branch(2), foundAtMs: 77 };
  const place = { document, lane: lane.id, seq: 1, store };
  return {
    cursors: [{ store, incarnation: new Uint8Array(16).fill(7), arrival: 301 }],
    acks: [{ ...place, seq: 4 }],
    forks: [fork],
    refused: [{ ...place, code: 3, reason: "too large", atMs: 88 }],
    audit: [Uint8Array.of(1, 1, 9)],
  };
}

async function keep(
  store: LogStore,
  writers: readonly TestWriter[],
  documents: readonly DocumentEntry["id"][],
): Promise<void> {
  const vectors = documents.map((document) => {
    return { document, vector: new Map(writers.flatMap((writer) => [...writer.vector(document)])) };
  });
  await store.append({ vectors });
}

/** What each way of reading a store gave: its content as text, or the code of its error. */
export type Survey = Readonly<Record<string, string>>;

/** Opens the store and reads all of it, each part for itself. */
export async function surveyStore(
  folder: string,
  environment: TestEnvironment,
  names: readonly string[],
): Promise<Survey> {
  const documents = names.map((name) => testDocument(environment, name));
  const survey: Record<string, string> = {};
  let store: LevelLogStore | undefined;
  survey["open"] = await outcomeOf(async () => {
    store = await openLevelStore(folder, { environment });
    return store.opening.rollback?.reason ?? "open";
  });
  if (!store) return survey;
  survey["readLanes"] = await outcomeOf(() => collect(store!.readLanes()));
  survey["readDocuments"] = await outcomeOf(() => collect(store!.readDocuments()));
  survey["readArrivals"] = await outcomeOf(() => collectChunks(store!.readArrivals(0)));
  survey["readRefused"] = await outcomeOf(() => collectChunks(store!.readRefused()));
  survey["readAudit"] = await outcomeOf(async () => {
    const records = await collectChunks(store!.readAudit());
    // A damaged one hides no other, and says so in its place.
    if (records.every(({ bytes }) => bytes !== undefined)) return records;
    throw new HeddleError(
      HeddleErrorCode.storageCorrupt,
      "a record of the audit journal is damaged",
    );
  });
  survey["readCursors"] = await outcomeOf(() => store!.readCursors());
  const peer = "9e".repeat(16) as StoreId;
  survey["readAcks"] = await outcomeOf(() => collectChunks(store!.readAcks(peer)));
  for (const { id, name } of documents) {
    survey[`readDocument ${name}`] = await outcomeOf(() => store!.readDocument(id));
    survey[`readLog ${name}`] = await outcomeOf(() => collectChunks(store!.readLog(id)));
    survey[`readLogByArrival ${name}`] = await outcomeOf(() => {
      return collectChunks(store!.readLogByArrival(id));
    });
    survey[`readForks ${name}`] = await outcomeOf(() => store!.readForks(id));
    survey[`readParked ${name}`] = await outcomeOf(() => store!.readParked(id));
  }
  const keyFile = path.join(folder, deviceKeyName);
  if (existsSync(keyFile)) {
    survey["device"] = await outcomeOf(async () => {
      const { devicePublicKey } = await openDeviceKey(keyFile);
      return (await store!.noteDevice(devicePublicKey)) ? "changed" : "known";
    });
  }
  await store.openingTold();
  await store.close();
  return survey;
}

export const corrupt = HeddleErrorCode.storageCorrupt;

/** The same store with every document dirty: what a lost digest or marker makes of it. */
export function allDirty(survey: Survey): Survey {
  const parts = Object.entries(survey);
  return Object.fromEntries(
    parts.map(([part, text]) => [part, text.replaceAll('"dirty":false', '"dirty":true')]),
  );
}

/** The parts that read otherwise. Where opening fails, nothing else was read and that is all. */
export function differences(before: Survey, after: Survey): string[] {
  return Object.keys(after).filter((part) => after[part] !== before[part]);
}

export function flipAnyBit(bytes: Uint8Array, { random }: TestEnvironment): Uint8Array {
  const draw = new DataView(random.bytes(4).buffer).getUint32(0);
  const copy = Uint8Array.from(bytes);
  const bit = draw % (copy.length * 8);
  copy[bit >> 3]! ^= 1 << (bit & 7);
  return copy;
}

async function outcomeOf(read: () => Promise<unknown>): Promise<string> {
  try {
    return JSON.stringify(await read(), plainJson) ?? "undefined";
  } catch (error) {
    if (isHeddleError(error)) return error.code;
    throw error;
  }
}

function plainJson(_key: string, value: unknown): unknown {
  if (value instanceof Uint8Array) return toHex(value);
  return value instanceof Map ? [...value] : value;
}
