// Runs in a browser: how many edits a second are stored there, each waited for and in a burst.
import { openReplica } from "@heddle/client";
import { browserStore, deleteBrowserStore } from "@heddle/storage-level/browser";
import { IndexeddbPersistence } from "y-indexeddb";
import * as Y from "yjs";

/** Edits per second. */
export interface Commits {
  /** The next is made when the one before is stored. */
  readonly inTurn: number;
  /** All are made at once; until the last is stored. */
  readonly inBurst: number;
  readonly durability: string;
}

interface Subject {
  edit(): void;
  /** Resolves when every edit so far is stored. */
  stored(): Promise<void>;
  readonly durability: string;
  end(): Promise<void>;
}

const subjects: Record<string, (name: string) => Promise<Subject>> = {
  heddle: openHeddle,
  "y-indexeddb": openYIndexeddb,
  "IndexedDB, strict": (name) => openRaw(name, "strict"),
  "IndexedDB, relaxed": (name) => openRaw(name, "relaxed"),
};

async function measure(subject: string, edits: number, round: number): Promise<Commits> {
  const { edit, stored, durability, end } = await subjects[subject]!(`bench-${round}-${edits}`);
  edit();
  await stored();
  const inTurn = await perSecond(edits, async () => {
    for (let made = 0; made < edits; made++) {
      edit();
      await stored();
    }
  });
  const inBurst = await perSecond(edits, async () => {
    for (let made = 0; made < edits; made++) edit();
    await stored();
  });
  await end();
  return { inTurn, inBurst, durability };
}

async function openHeddle(name: string): Promise<Subject> {
  const store = browserStore(name);
  const opening = store.open.bind(store);
  let durability = "";
  const replica = await openReplica({
    store: {
      ...store,
      async open(environment) {
        const opened = await opening(environment);
        ({ durability } = opened);
        return opened;
      },
    },
  });
  const live = await replica.open("paper");
  const text = live.ydoc.getText("text");
  return {
    edit: () => text.insert(text.length, "x"),
    stored: () => live.whenSaved(),
    durability,
    async end() {
      await replica.close();
      await deleteBrowserStore(name);
    },
  };
}

async function openYIndexeddb(name: string): Promise<Subject> {
  const ydoc = new Y.Doc();
  const persistence = new IndexeddbPersistence(`y-${name}`, ydoc);
  await persistence.whenSynced;
  const { db } = persistence as unknown as { readonly db: IDBDatabase };
  const text = ydoc.getText("text");
  return {
    edit: () => text.insert(text.length, "x"),
    // It does not say when; what is asked of the same place afterwards is answered afterwards.
    stored: () => answered(db.transaction("updates").objectStore("updates").count()),
    durability: db.transaction("updates").durability,
    end: () => persistence.clearData(),
  };
}

async function openRaw(name: string, durability: "strict" | "relaxed"): Promise<Subject> {
  const opening = indexedDB.open(`raw-${durability}-${name}`, 1);
  opening.onupgradeneeded = () => opening.result.createObjectStore("rows", { autoIncrement: true });
  await answered(opening);
  const db = opening.result;
  let last: Promise<void> = Promise.resolve();
  return {
    edit() {
      const transaction = db.transaction("rows", "readwrite", { durability });
      transaction.objectStore("rows").put(new Uint8Array(25));
      last = new Promise((resolve, reject) => {
        transaction.oncomplete = () => resolve();
        transaction.onabort = () => reject(transaction.error ?? new Error("it was aborted"));
      });
    },
    stored: () => last,
    durability: db.transaction("rows", "readwrite", { durability }).durability,
    async end() {
      db.close();
      await answered(indexedDB.deleteDatabase(db.name));
    },
  };
}

async function perSecond(count: number, work: () => Promise<void>): Promise<number> {
  const startedMs = performance.now();
  await work();
  return (count * 1_000) / (performance.now() - startedMs);
}

function answered(request: IDBRequest): Promise<void> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve();
    request.onerror = () => reject(request.error ?? new Error("it failed"));
  });
}

Object.assign(globalThis, { measure, subjects: Object.keys(subjects) });
