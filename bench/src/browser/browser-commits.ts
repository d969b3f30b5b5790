import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { loadavg, tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

import { chromium } from "playwright-core";
import { build, type Rolldown } from "vite";

import type { Commits } from "./commits-page.ts";

/**
 * Edits per second that a page stores, in Chromium, one subject after the other in each round:
 *
 *   node bench/dist/browser/browser-commits.js [edits] [rounds]
 *
 * Prints a table of medians, and of the least and the most.
 */

const [edits = 300, rounds = 5] = process.argv.slice(2).map(Number);

const script = await bundled();
const server = createServer(({ url }, response) => {
  const isScript = url === "/page.js";
  response.writeHead(200, { "Content-Type": isScript ? "text/javascript" : "text/html" });
  response.end(isScript ? script : '<!doctype html><script type="module" src="/page.js"></script>');
});
server.listen(0, "127.0.0.1");
await once(server, "listening");
const { port } = server.address() as AddressInfo;
// A profile on the disk: that of a private window keeps its databases in memory.
const profile = await mkdtemp(path.join(tmpdir(), "heddle-browser-commits-"));
const browser = await chromium.launchPersistentContext(profile, {
  executablePath: "/usr/bin/chromium",
  args: ["--no-sandbox"],
});
const results = new Map<string, Commits[]>();
try {
  for (let round = 0; round < rounds; round++) {
    const page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${port}`);
    await page.waitForFunction("globalThis.subjects !== undefined");
    for (const subject of (await page.evaluate("subjects")) as string[]) {
      const call = `measure(${JSON.stringify(subject)}, ${edits}, ${round})`;
      const commits = (await page.evaluate(call)) as Commits;
      results.set(subject, [...(results.get(subject) ?? []), commits]);
      process.stderr.write(`${round + 1} ${subject} ${JSON.stringify(commits)}\n`);
    }
    await page.close();
  }
} finally {
  const version = browser.browser()?.version() ?? "of unknown version";
  await browser.close();
  server.close();
  await rm(profile, { recursive: true, force: true });
  print(version);
}

function print(version: string): void {
  const load = loadavg().map((value) => value.toFixed(1));
  const out = [
    `Chromium ${version}, ${edits} edits, ${rounds} rounds, load ${load.join(" ")}`,
    "",
    "| | durability | edits/s, each waited for | edits/s, in a burst |",
    "|---|---|---|---|",
  ];
  for (const [subject, commits] of results) {
    const turn = spread(commits.map(({ inTurn }) => inTurn));
    const burst = spread(commits.map(({ inBurst }) => inBurst));
    out.push(`| ${subject} | ${commits[0]!.durability} | ${turn} | ${burst} |`);
  }
  process.stdout.write(`${out.join("\n")}\n`);
}

function spread(values: readonly number[]): string {
  const sorted = values.toSorted((a, b) => a - b);
  const [least, median, most] = [sorted[0]!, sorted[sorted.length >> 1]!, sorted.at(-1)!];
  return `${Math.round(median)} (${Math.round(least)} to ${Math.round(most)})`;
}

async function bundled(): Promise<string> {
  const built = await build({
    configFile: false,
    logLevel: "error",
    define: { "process.env.NODE_ENV": '"production"' },
    build: {
      write: false,
      target: "es2022",
      rolldownOptions: {
        input: fileURLToPath(new URL("commits-page.js", import.meta.url)),
        output: { codeSplitting: false },
      },
    },
  });
  const [bundle] = [built].flat() as Rolldown.RolldownOutput[];
  return bundle!.output[0].code;
}
