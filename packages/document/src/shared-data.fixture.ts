import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";

/** The folder `shared/data` beside one of the folders above this file. */
const folder = findFolder();

/**
 * True when tests that need the shared data cannot run and may be skipped. In CI missing data is a
 * failure, not a skip.
 */
export const isDataMissing = folder === undefined;

if (isDataMissing) {
  const message = "shared/data is missing: no traces, no hostile updates";
  if (process.env["CI"]) throw new Error(message);
  console.warn(message);
}

function findFolder(): string | undefined {
  for (let at = dirname(fileURLToPath(import.meta.url)); ; at = dirname(at)) {
    const candidate = join(at, "shared", "data");
    if (existsSync(join(candidate, "hostile-updates.json"))) return candidate;
    if (at === dirname(at)) return undefined;
  }
}

export interface HostilePayload {
  readonly id: string;
  readonly format: string;
  readonly base64: string;
  readonly verdict: "close" | "park" | "accept" | "ignore" | "any";
}

export function readHostilePayloads(): HostilePayload[] {
  const file = readFileSync(join(folder!, "hostile-updates.json"), "utf8");
  return (JSON.parse(file) as { payloads: HostilePayload[] }).payloads;
}

type Patch = readonly [position: number, deleteCount: number, inserted: string];

export interface Trace {
  readonly kind?: string;
  readonly numAgents?: number;
  readonly endContent: string;
  readonly txns: readonly { agent?: number; parents?: number[]; patches: readonly Patch[] }[];
}

export function readTrace(name: string): Trace {
  const bytes = readFileSync(join(folder!, "editing-traces", `${name}.json.gz`));
  return JSON.parse(gunzipSync(bytes).toString("utf8")) as Trace;
}

/** Ancestors that were not heard yet, oldest first; they count as heard from now on. */
export function unheardBy(trace: Trace, parents: readonly number[], heard: Set<number>): number[] {
  const found: number[] = [];
  const stack = [...parents];
  for (let index = stack.pop(); index !== undefined; index = stack.pop()) {
    if (heard.has(index)) continue;
    heard.add(index);
    found.push(index);
    stack.push(...(trace.txns[index]!.parents ?? []));
  }
  return found.toSorted((a, b) => a - b);
}
