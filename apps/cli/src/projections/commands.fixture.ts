import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";

import { afterEach, beforeEach } from "vitest";

import { main } from "../main.ts";

/** What an operator has: a folder, in which data and a module of definitions will be. */
export class OperatorFolder {
  folder = "";

  get data(): string {
    return path.join(this.folder, "data");
  }

  get module(): string {
    return path.join(this.folder, "definitions.mjs");
  }
}

/** A new one for each test of this file. */
export function operatorFolder(): OperatorFolder {
  const place = new OperatorFolder();
  beforeEach(async () => {
    // A socket in it has to have a short name.
    place.folder = await mkdtemp(path.join(tmpdir(), "heddle-"));
  });
  afterEach(() => rm(place.folder, { recursive: true, force: true }));
  return place;
}

export interface Ran {
  readonly status: number;
  readonly out: string[];
  readonly err: string[];
}

/** A command in this process, to its end. */
export async function heddle(...argv: string[]): Promise<Ran> {
  const out: string[] = [];
  const err: string[] = [];
  const io = {
    out: (line: string) => out.push(line),
    err: (line: string) => err.push(line),
    isTTY: false,
  };
  const status = await main(argv, io, new AbortController().signal);
  return { status, out, err };
}

export interface RunningRelay extends AsyncDisposable {
  /** For peers. */
  readonly url: string;
  readonly adminUrl: string;
  metricsText(): Promise<string>;
}

/** `heddle relay` in this process, until it is disposed of. */
export async function startRelay(data: string, ...flags: string[]): Promise<RunningRelay> {
  const stopping = new AbortController();
  let ended: Promise<number> | undefined;
  const listening = new Promise<Pick<RunningRelay, "url" | "adminUrl">>((resolve, reject) => {
    const io = {
      out: (line: string) => resolve(JSON.parse(line)),
      err: () => undefined,
      isTTY: false,
    };
    const all = ["relay", "--port", "0", "--admin-port", "0", "--data", data, "--json", ...flags];
    ended = main(all, io, stopping.signal);
    ended.then(() => reject(new Error("the relay ended")), reject);
  });
  const { url, adminUrl } = await listening;
  return {
    url: url.replace("http", "ws"),
    adminUrl,
    async metricsText() {
      return await (await fetch(`${adminUrl}/metrics`)).text();
    },
    async [Symbol.asyncDispose]() {
      stopping.abort();
      await ended;
    },
  };
}

export async function until(what: () => Promise<boolean> | boolean): Promise<void> {
  while (!(await what())) await new Promise((resolve) => setTimeout(resolve, 50));
}
