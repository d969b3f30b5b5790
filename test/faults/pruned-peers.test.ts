import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { gunzipSync } from "node:zlib";

import { expect, test } from "vitest";

import { sleep, until } from "../integration/stock-client.ts";
import { connectStock, type StockClient } from "../interop/stock-providers.ts";
import { runHeddle } from "../processes/heddle-command.ts";
import { RelayProcess, repositoryFolder } from "../processes/relay-process.ts";

// Goal: a relay that was away while another dropped the log comes to hold the same, and so do two that
// dropped their logs apart.
// Method: a recorded session is typed through one relay by stock clients while the other is down; relays
// checkpoint and prune when they stop, as they do for people. Then they peer; what clients of the second
// one show is the end of the recording. Both folders are verified afterwards, and opened once more.

const traces = path.join(repositoryFolder, "../shared/data/editing-traces");
const isThere = existsSync(traces);
if (!isThere) {
  const message = `no editing traces in ${traces}`;
  if (process.env["CI"]) throw new Error(message);
  console.warn(`SKIPPED: ${message}`);
}

const version = "3.1.0";
const flags = ["--history", "prune"];

interface Place extends AsyncDisposable {
  readonly a: string;
  readonly b: string;
}

async function twoFolders(): Promise<Place> {
  const folder = await mkdtemp(path.join(tmpdir(), "heddle-pruned-"));
  return {
    a: path.join(folder, "a"),
    b: path.join(folder, "b"),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}

function socketOf({ url }: RelayProcess): string {
  return url.replace("http", "ws");
}

function open(relay: RelayProcess, name: string): StockClient {
  return connectStock({ url: socketOf(relay), name, version });
}

async function type(relay: RelayProcess, name: string, trace: string): Promise<void> {
  const file = path.join(traces, `${trace}.json.gz`);
  const args = [file, "--clients", "2", "--url", socketOf(relay), "--doc", name, "--json"];
  const { status, out } = await runHeddle("replay", ...args);
  const { verdict } = JSON.parse(out) as { verdict: string };
  expect([status, verdict]).toEqual([0, "equal"]);
}

/** One stock client types a session, with a Yjs client of its own: those of a replay are the same each time. */
async function typeAlone(relay: RelayProcess, name: string, trace: string): Promise<void> {
  using client = open(relay, name);
  await until(() => client.provider.synced, "the typist is synced");
  const text = client.ydoc.getText("text");
  for (const [index, { patches }] of sessionOf(trace).txns.entries()) {
    client.ydoc.transact(() => {
      for (const [position, deleted, inserted] of patches) {
        if (deleted > 0) text.delete(position, deleted);
        if (inserted.length > 0) text.insert(position, inserted);
      }
    });
    if (index % 100 === 0) await sleep(1);
  }
  await shown(relay, name, (found) => found === endOf(trace));
}

interface Session {
  readonly endContent: string;
  readonly txns: readonly { readonly patches: readonly (readonly [number, number, string])[] }[];
}

function sessionOf(trace: string): Session {
  const bytes = gunzipSync(readFileSync(path.join(traces, `${trace}.json.gz`)));
  return JSON.parse(bytes.toString("utf8")) as Session;
}

function endOf(trace: string): string {
  return sessionOf(trace).endContent;
}

/** What a client that comes now is shown, once it is `isEnd`. */
async function shown(
  relay: RelayProcess,
  name: string,
  isEnd: (text: string) => boolean,
): Promise<string> {
  using client = open(relay, name);
  const text = client.ydoc.getText("text");
  await until(() => isEnd(text.toString()), `${name} is whole`, 60_000);
  return text.toString();
}

/** What is left of a document in a folder that nobody has open. */
async function inspected(
  data: string,
  name: string,
): Promise<{ checkpoints: number; envelopes: number }> {
  const { out } = await runHeddle("inspect", data, "--doc", name, "--json");
  const { checkpoints, envelopes } = JSON.parse(out) as {
    checkpoints: readonly unknown[];
    envelopes: number;
  };
  return { checkpoints: checkpoints.length, envelopes };
}

async function expectWhole(...folders: readonly string[]): Promise<void> {
  for (const data of folders) {
    const { status, out } = await runHeddle("verify", data);
    expect(status, out).toBe(0);
  }
}

test.skipIf(!isThere)(
  "[WIR-14][CKP-13] a relay that was down while a session was typed and pruned shows its end",
  async () => {
    await using place = await twoFolders();
    const trace = "sveltecomponent";
    const end = endOf(trace);
    {
      await using a = await RelayProcess.start({ data: place.a, flags });
      await type(a, "essay", trace);
    }
    // Stopping has pruned it: nothing of the session is left in the log.
    expect(await inspected(place.a, "essay")).toEqual({ checkpoints: 1, envelopes: 0 });
    {
      await using a = await RelayProcess.start({ data: place.a, flags });
      await using b = await RelayProcess.start({
        data: place.b,
        flags: [...flags, "--peer", socketOf(a)],
      });
      // Its clients were there before the checkpoint, and stay.
      using early = open(b, "essay");
      const text = early.ydoc.getText("text");
      await until(() => text.toString() === end, "who was there sees it", 60_000);
      expect(await shown(b, "essay", (found) => found === end)).toBe(end);
      text.insert(0, "and on. ");
      await shown(a, "essay", (found) => found === `and on. ${end}`);
    }
    await expectWhole(place.a, place.b);
    for (const data of [place.a, place.b]) {
      await using relay = await RelayProcess.start({ data, flags });
      await shown(relay, "essay", (found) => found === `and on. ${end}`);
    }
    await expectWhole(place.a, place.b);
  },
);

test.skipIf(!isThere)(
  "[WIR-14][CKP-13] two relays that typed and pruned apart agree after they meet, and after a restart",
  async () => {
    await using place = await twoFolders();
    const traced = { a: "friendsforever", b: "sveltecomponent" } as const;
    {
      await using a = await RelayProcess.start({ data: place.a, flags });
      await type(a, "essay", traced.a);
      await using b = await RelayProcess.start({ data: place.b, flags });
      await typeAlone(b, "essay", traced.b);
    }
    for (const data of [place.a, place.b]) {
      expect(await inspected(data, "essay")).toEqual({ checkpoints: 1, envelopes: 0 });
    }
    const length = Object.values(traced).reduce((sum, trace) => sum + endOf(trace).length, 0);
    const isWhole = (text: string): boolean => text.length === length;
    let together: string;
    {
      await using a = await RelayProcess.start({ data: place.a, flags });
      await using b = await RelayProcess.start({
        data: place.b,
        flags: [...flags, "--peer", socketOf(a)],
      });
      together = await shown(a, "essay", isWhole);
      expect(await shown(b, "essay", isWhole)).toBe(together);
    }
    await expectWhole(place.a, place.b);
    for (const data of [place.a, place.b]) {
      await using relay = await RelayProcess.start({ data, flags });
      expect(await shown(relay, "essay", isWhole)).toBe(together);
    }
  },
);
