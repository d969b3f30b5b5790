import path from "node:path";

import { HeddleErrorCode, isHeddleError } from "@heddle/core";
import { folderView, nodeEnvironment } from "@heddle/replica/node";
import { openLevelStore, type LevelLogStore } from "@heddle/storage-level";

import type { CommandIo } from "../command-io.ts";
import { openLogger } from "../logger.ts";
import { assertDataFolder } from "../verify-command.ts";
import type { Desk } from "./desk.ts";
import { loadProjections } from "./load-projections.ts";
import { LocalDesk } from "./local-desk.ts";
import { RemoteDesk } from "./remote-desk.ts";

export interface DeskOptions {
  /** Module that has the projections; not needed where a relay has the folder, which has its own. */
  readonly projections?: string;
  readonly json?: boolean;
}

/**
 * Opens a data folder, or asks the process that has it open.
 *
 * @throws HeddleError `HEDDLE_STORAGE_LOCKED` when that one cannot be asked.
 */
export async function withDesk(
  data: string,
  options: DeskOptions,
  io: CommandIo,
  task: (desk: Desk) => Promise<number>,
): Promise<number> {
  // Timers of the environment, and so the pauses of a job, let a process end that nothing else keeps.
  const keepAlive = setInterval(() => undefined, 60_000);
  try {
    return await atDesk(data, options, io, task);
  } finally {
    clearInterval(keepAlive);
  }
}

async function atDesk(
  data: string,
  options: DeskOptions,
  io: CommandIo,
  task: (desk: Desk) => Promise<number>,
): Promise<number> {
  const folder = path.resolve(data);
  assertDataFolder(folder);
  // A slip in the module is found before anything is opened.
  const loaded =
    options.projections === undefined ? undefined : await loadProjections(options.projections);
  const environment = nodeEnvironment(openLogger(io, { level: "error" }));
  let log: LevelLogStore;
  try {
    log = await openLevelStore(folder, { environment });
  } catch (error) {
    if (!isHeddleError(error, HeddleErrorCode.storageLocked)) throw error;
    if (loaded && !options.json) io.err("a relay has the folder: its own projections are used");
    return await task(new RemoteDesk(folder));
  }
  try {
    const view = await folderView(folder, log, environment);
    const desk = await LocalDesk.open({ data: folder, log: view, environment, loaded });
    try {
      desk.start();
      return await task(desk);
    } finally {
      await desk.close();
    }
  } finally {
    await log.close();
  }
}
