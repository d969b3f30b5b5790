import { existsSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";

/**
 * Path of a recorded trace in `shared/data`, looked for beside every folder above this one.
 * `undefined` when it is not on this machine; in CI that is an error.
 */
export function findRecordedTrace(name: string): string | undefined {
  for (let folder = import.meta.dirname; ; folder = dirname(folder)) {
    const path = join(folder, "shared/data/editing-traces", `${name}.json.gz`);
    if (existsSync(path)) return path;
    if (folder === dirname(folder)) break;
  }
  if (process.env["CI"]) throw new Error(`shared/data/editing-traces/${name}.json.gz is missing`);
  console.warn(`SKIPPED: shared/data/editing-traces/${name}.json.gz is not on this machine`);
  return undefined;
}

/** Writes `json` as `trace.json.gz` into a new folder and returns its path. */
export function writeTrace(json: unknown): string {
  const path = join(mkdtempSync(join(tmpdir(), "heddle-replay-")), "trace.json.gz");
  writeFileSync(path, gzipSync(JSON.stringify(json)));
  return path;
}

/** One agent who writes `text` letter by letter, then takes back its last `erased` letters. */
export function typewriterTrace(text: string, erased = 0) {
  const typed = [...text].map((letter, at) => ({ patches: [[at, 0, letter]] }));
  const taken = Array.from({ length: erased }, (_, count) => ({
    patches: [[text.length - count - 1, 1, ""]],
  }));
  return { endContent: text.slice(0, text.length - erased), txns: [...typed, ...taken] };
}
