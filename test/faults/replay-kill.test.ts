import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";

import { expect, test } from "vitest";

import { sleep } from "../integration/stock-client.ts";
import { RelayProcess, repositoryFolder } from "../processes/relay-process.ts";

const traces = path.join(repositoryFolder, "../shared/data/editing-traces");
const isThere = existsSync(traces);
if (!isThere) {
  const message = `no editing traces in ${traces}`;
  if (process.env["CI"]) throw new Error(message);
  console.warn(`SKIPPED: ${message}`);
}

interface ReplayReport {
  readonly verdict: string;
  readonly reconnects: number;
  readonly replicas: number;
}

/** Resolves when so many clients are at the relay. */
async function whenOpen(relay: RelayProcess, clients: number): Promise<void> {
  const line = `\nheddle_connections_open ${clients}\n`;
  while (!(await relay.metrics()).includes(line)) await sleep(20);
}

/** Runs `heddle replay` as a person would, in its own process. */
async function replay(url: string, args: readonly string[]): Promise<ReplayReport> {
  const child = spawn(
    process.execPath,
    ["apps/cli/bin/heddle.js", "replay", ...args, "--url", url, "--json"],
    { cwd: repositoryFolder, stdio: ["ignore", "pipe", "inherit"] },
  );
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
  const [status] = (await once(child, "exit")) as [number];
  const report = JSON.parse(output) as ReplayReport;
  expect([status, report.verdict]).toEqual([0, "equal"]);
  return report;
}

test.skipIf(!isThere)(
  "[RLY-3] two people's session ends equal though the relay is killed three times in the middle",
  async () => {
    const data = await mkdtemp(path.join(tmpdir(), "heddle-replay-"));
    try {
      const flags = ["--admin-port", "0"];
      let relay = await RelayProcess.start({ data, flags });
      const { port } = relay;
      const url = relay.url.replace("http", "ws");
      const trace = path.join(traces, "friendsforever.json.gz");
      const replayed = replay(url, [trace, "--clients", "2"]);
      for (let kill = 0; kill < 3; kill++) {
        await whenOpen(relay, 2);
        await sleep(300);
        await relay.kill();
        await sleep(100);
        relay = await RelayProcess.start({ data, port, flags });
      }
      const { reconnects } = await replayed;
      // Two clients, three deaths: fewer reconnects would mean that it was over before the end.
      expect(reconnects).toBeGreaterThanOrEqual(6);
      await relay[Symbol.asyncDispose]();
    } finally {
      await rm(data, { recursive: true, force: true });
    }
  },
);

test.skipIf(!isThere).each([
  ["sveltecomponent", "1"],
  ["rustcode", "2"],
])("[APP-1] %s is typed by %s stock clients and ends equal", async (trace, clients) => {
  const data = await mkdtemp(path.join(tmpdir(), "heddle-replay-"));
  try {
    await using relay = await RelayProcess.start({ data });
    const file = path.join(traces, `${trace}.json.gz`);
    await replay(relay.url.replace("http", "ws"), [file, "--clients", clients]);
  } finally {
    await rm(data, { recursive: true, force: true });
  }
});

test("[APP-1] modelled people whose relay is killed once end equal", async () => {
  const data = await mkdtemp(path.join(tmpdir(), "heddle-replay-"));
  try {
    const flags = ["--admin-port", "0"];
    let relay = await RelayProcess.start({ data, flags });
    const { port } = relay;
    const url = relay.url.replace("http", "ws");
    const replayed = replay(url, ["--synthetic", "7", "--clients", "4", "--edits", "10000"]);
    await whenOpen(relay, 4);
    await relay.kill();
    relay = await RelayProcess.start({ data, port });
    // It came before the end: all four had to come back.
    expect((await replayed).reconnects).toBeGreaterThanOrEqual(4);
    await relay[Symbol.asyncDispose]();
  } finally {
    await rm(data, { recursive: true, force: true });
  }
});
