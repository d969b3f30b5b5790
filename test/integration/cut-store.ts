import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";

import {
  HeddleError,
  HeddleErrorCode,
  MemoryDisk,
  MemoryLogStore,
  type Environment,
  type LogStore,
} from "@heddle/core";
import { openLevelDatabase, openLevelStore, type OpenDatabase } from "@heddle/storage-level";

/** The write that is cut off lands, or it does not. */
export type Cut = "before" | "after";

/** A place where a store can be opened, once with a cut and then in good order. */
export interface Site {
  /** From the n-th write on nothing is answered; that one lands or not. `undefined`: never. */
  open(environment: Environment, n?: number, cut?: Cut): Promise<LogStore>;
  /** Writes since the last opening. */
  readonly writes: number;
  remove(): Promise<void>;
}

class Cutter {
  writes = 0;
  readonly #n: number;
  readonly #cut: Cut;

  constructor(n = Infinity, cut: Cut = "before") {
    this.#n = n;
    this.#cut = cut;
  }

  async write<Value>(write: () => Promise<Value>): Promise<Value> {
    this.writes++;
    if (this.writes < this.#n) return write();
    if (this.writes === this.#n && this.#cut === "after") await write();
    throw gone();
  }
}

function gone(): HeddleError {
  return new HeddleError(HeddleErrorCode.storageIo, "the power is gone");
}

function memorySite(): Site {
  const disk = new MemoryDisk();
  let cutter = new Cutter();
  return {
    async open(environment, n, cut) {
      cutter = new Cutter(n, cut);
      const inner = await MemoryLogStore.open(disk, environment.random);
      return new Proxy(inner, {
        get(target, property) {
          if (property === "append") {
            return (...batch: Parameters<LogStore["append"]>) => {
              return cutter.write(() => target.append(...batch));
            };
          }
          const value: unknown = Reflect.get(target, property, target);
          return typeof value === "function" ? value.bind(target) : value;
        },
      });
    },
    get writes() {
      return cutter.writes;
    },
    async remove() {
      disk.documents.clear();
    },
  };
}

async function levelSite(): Promise<Site> {
  const folder = await mkdtemp(path.join(tmpdir(), "heddle-crash-"));
  let cutter = new Cutter();
  return {
    open(environment, n, cut) {
      let openings = 0;
      const openDatabase: OpenDatabase = async (location, opening) => {
        // Who was cut off does not come back by itself.
        if (openings++ > 0) throw gone();
        const database = await openLevelDatabase(location, opening);
        // Writes of the opening itself are not of this test.
        cutter = new Cutter();
        return {
          get: (key) => database.get(key),
          hasMany: (keys) => database.hasMany(keys),
          entries: (range) => database.entries(range),
          lastKey: (range) => database.lastKey(range),
          write: (operations) => cutter.write(() => database.write(operations)),
          close: () => database.close(),
        };
      };
      return openLevelStore(folder, { environment, openDatabase }).then((store) => {
        cutter = new Cutter(n, cut);
        return store;
      });
    },
    get writes() {
      return cutter.writes;
    },
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

/** Makes a place by the name of what it is in. */
export const sites: Readonly<Record<string, () => Promise<Site>>> = {
  memory: async () => memorySite(),
  LevelDB: levelSite,
};
