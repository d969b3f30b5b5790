import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";

import { isHeddleError } from "@heddle/core";

import type { DeviceFile } from "./device-file.ts";
import type { Finding, VerifiedTotals } from "./finding.ts";
import { programFile } from "./program-file.ts";
import { logFolderName } from "./store-layout.ts";
import { snapshotLog, type SnapshotWay } from "./snapshot-log.ts";
import type { VerifyJob, VerifyMessage } from "./verify-program.ts";
import { encodeFound } from "./witness-message.ts";
import { readWitness, type FoundWitness } from "./witness.ts";

export interface VerificationOptions {
  /** Data folder of a store. */
  readonly folder: string;
  /** Of the snapshot that is read; {@link snapshotLog} says which one fits. */
  readonly way: SnapshotWay;
  /** Where the snapshot is made and removed; without it in the system's temporary folder. */
  readonly snapshotFolder?: string;
  /** In place of the one in `folder`. */
  readonly witness?: FoundWitness;
  readonly bytesPerSecond?: number;
  /** Compared with the device on record. */
  readonly deviceFile?: DeviceFile;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: { stage: string; bytes: number; records: number }) => void;
}

export interface VerificationReport {
  readonly findings: readonly Finding[];
  readonly totals: VerifiedTotals;
}

/**
 * Reads and proves all of a store, in another process and on a snapshot, so that neither what LevelDB
 * does when it opens a folder nor how it ends at damaged tables reaches the store or this process.
 */
export async function runVerification(options: VerificationOptions): Promise<VerificationReport> {
  const folder = resolve(options.folder);
  const snapshot = options.snapshotFolder ?? (await mkdtemp(join(tmpdir(), "heddle-verify-")));
  try {
    await rm(snapshot, { recursive: true, force: true });
    const witness = encodeFound(options.witness ?? (await readWitness(folder)));
    try {
      await snapshotLog(join(folder, logFolderName), snapshot, options.way);
    } catch (error) {
      if (!isHeddleError(error)) throw error;
      const finding: Finding = { severity: "damage", part: "manifest", what: error.message };
      return { findings: [finding], totals: noTotals };
    }
    const { bytesPerSecond = 0, deviceFile } = options;
    return await runProgram({ folder, snapshot, witness, bytesPerSecond, deviceFile }, options);
  } finally {
    await rm(snapshot, { recursive: true, force: true });
  }
}

const noTotals: VerifiedTotals = {
  tables: 0,
  fileBytes: 0,
  records: 0,
  documents: 0,
  envelopes: 0,
  lanes: 0,
  lastGroup: 0,
};

async function runProgram(
  job: VerifyJob,
  { signal, onProgress }: VerificationOptions,
): Promise<VerificationReport> {
  const args = [programFile("verify-program"), JSON.stringify(job)];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
  const stop = (): void => void child.kill("SIGKILL");
  signal?.addEventListener("abort", stop, { once: true });
  const closed = once(child, "close");
  let lastWords = "";
  child.stderr.on("data", (chunk: Buffer) => {
    lastWords = `${lastWords}${chunk.toString()}`.slice(-400);
  });
  const findings: Finding[] = [];
  let totals: VerifiedTotals | undefined;
  let stage = "start";
  try {
    for await (const line of createInterface({ input: child.stdout })) {
      const message = parseMessage(line);
      if (message?.type === "finding") findings.push(message.finding);
      if (message?.type === "stage") stage = message.stage;
      if (message?.type === "progress") onProgress?.({ stage, ...message });
      if (message?.type === "done") totals = message.totals;
    }
    await closed;
  } finally {
    signal?.removeEventListener("abort", stop);
  }
  if (signal?.aborted) throw signal.reason;
  if (!totals) findings.push(abortFinding(stage, child.signalCode, lastWords));
  return { findings, totals: totals ?? noTotals };
}

/** LevelDB asserts that its files make sense, and an assert ends the process. */
function abortFinding(stage: string, signalName: string | null, lastWords: string): Finding {
  const how = signalName ?? "an error";
  const words = lastWords.trim().split("\n").at(-1) ?? "";
  const what = `reading ended with ${how} at "${stage}"${words ? `: ${words}` : ""}`;
  return { severity: "damage", part: "leveldb", what: what.slice(0, 300) };
}

/** A line that the end of the process cut is no message. */
function parseMessage(line: string): VerifyMessage | undefined {
  try {
    return JSON.parse(line) as VerifyMessage;
  } catch {
    return undefined; // The program died in the middle of it, and that is what will be reported.
  }
}
