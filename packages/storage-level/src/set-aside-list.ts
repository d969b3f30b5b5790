import { readFile, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

import type { Logger } from "@heddle/core";

import { exists, isMissing } from "./files.ts";
import { replaceFile, syncFolder } from "./replace-file.ts";

const listName = "set-aside.json";

/**
 * Databases of projections that were set aside and of which the journal is still to be carried over. It is on the disk
 * before the first of them is moved, and goes when all of it is in the database in their place: a crash in
 * between would otherwise lose the journal without a word.
 */
export class SetAsideList {
  readonly #file: string;
  #names: readonly string[];

  private constructor(file: string, names: readonly string[]) {
    this.#file = file;
    this.#names = names;
  }

  /** Of the folder that holds the database. One that cannot be read is told, and is as if there were none. */
  static async read(folder: string, logger: Logger): Promise<SetAsideList> {
    const file = join(folder, listName);
    try {
      const names: unknown = JSON.parse(await readFile(file, "utf8"));
      if (Array.isArray(names) && names.every(isName)) return new SetAsideList(file, names);
      logger.error("projections.journal_lost", { error: `${listName} names no folders` });
    } catch (error) {
      if (!isMissing(error)) logger.error("projections.journal_lost", { error: String(error) });
    }
    return new SetAsideList(file, []);
  }

  /** Folders that are there, the first that was moved first. */
  async folders(): Promise<readonly string[]> {
    const found: string[] = [];
    for (const name of this.#names) {
      const folder = join(dirname(this.#file), name);
      // It was noted and not moved any more: it is still the database.
      if (await exists(folder)) found.push(folder);
    }
    return found;
  }

  /** Before it is moved. */
  async add(folder: string): Promise<void> {
    this.#names = [...this.#names, basename(folder)];
    await replaceFile(this.#file, JSON.stringify(this.#names));
  }

  /** All of them are carried over. */
  async clear(): Promise<void> {
    this.#names = [];
    await rm(this.#file, { force: true });
    await syncFolder(dirname(this.#file));
  }
}

/** Whatever is in the file, nothing outside of the folder is opened because of it. */
function isName(name: unknown): name is string {
  return typeof name === "string" && /^[a-z]+\.damaged-[\w.-]+$/.test(name);
}
