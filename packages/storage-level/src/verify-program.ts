import { createHash } from "node:crypto";

import type { DeviceFile } from "./device-file.ts";
import type { Finding, VerifiedTotals } from "./finding.ts";
import { verifyStore } from "./verify-store.ts";
import { decodeFound } from "./witness-message.ts";

/**
 * Verifies a store in a process of its own, which LevelDB may end: it aborts at some damaged tables.
 * The one argument is a {@link VerifyJob} as JSON; standard output has one {@link VerifyMessage} a line.
 */
export interface VerifyJob {
  readonly folder: string;
  readonly snapshot: string;
  /** A {@link FoundWitness}, with its bytes in hex. */
  readonly witness: string;
  readonly deviceFile?: DeviceFile | undefined;
  /** 0 for as quick as it goes. */
  readonly bytesPerSecond: number;
}

export type VerifyMessage =
  | { readonly type: "finding"; readonly finding: Finding }
  | { readonly type: "stage"; readonly stage: string }
  | { readonly type: "progress"; readonly bytes: number; readonly records: number }
  | { readonly type: "done"; readonly totals: VerifiedTotals };

/** Findings beyond it are counted by their being there; a store in shreds has millions. */
const findingsMax = 10_000;
/** How far ahead of its rate the program may read. */
const burstMs = 50;

export async function runVerifyProgram(job: VerifyJob): Promise<void> {
  let findings = 0;
  const pacer = new Pacer(job.bytesPerSecond);
  const totals = await verifyStore({
    ...job,
    witness: decodeFound(job.witness),
    hash: { sha256: (bytes) => createHash("sha256").update(bytes).digest() },
    report: (finding) => {
      if (findings++ < findingsMax) say({ type: "finding", finding });
    },
    pace: (bytes) => pacer.take(bytes),
    onStage: (stage) => say({ type: "stage", stage }),
  });
  say({ type: "done", totals });
}

class Pacer {
  readonly #bytesPerSecond: number;
  readonly #startedMs = performance.now();
  #bytes = 0;
  #records = 0;
  #saidMs = 0;

  constructor(bytesPerSecond: number) {
    this.#bytesPerSecond = bytesPerSecond;
  }

  async take(bytes: number): Promise<void> {
    this.#bytes += bytes;
    this.#records++;
    const elapsedMs = performance.now() - this.#startedMs;
    if (elapsedMs - this.#saidMs > 500) {
      this.#saidMs = elapsedMs;
      say({ type: "progress", bytes: this.#bytes, records: this.#records });
    }
    if (this.#bytesPerSecond === 0) return;
    const aheadMs = (this.#bytes * 1000) / this.#bytesPerSecond - elapsedMs;
    if (aheadMs > burstMs) await new Promise((resolve) => setTimeout(resolve, aheadMs));
  }
}

function say(message: VerifyMessage): void {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}

await runVerifyProgram(JSON.parse(process.argv[2] ?? "{}") as VerifyJob);
