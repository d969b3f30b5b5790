import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";

import { expect, test } from "vitest";

import { repositoryFolder } from "../processes/relay-process.ts";
import { connect, synced } from "./stock-client.ts";

test("[APP-3] npm start builds what is missing, serves the page, and its relay works", async () => {
  const data = await mkdtemp(path.join(tmpdir(), "heddle-start-"));
  const args = ["start", "--silent", "--", "--port", "0", "--data", data, "--json"];
  const start = spawn("npm", args, {
    cwd: repositoryFolder,
    stdio: ["ignore", "pipe", "inherit"],
    detached: true,
  });
  // That is when the relay has ended as well, whose parent does not wait for it.
  const closed = once(start, "close");
  try {
    let url = "";
    for await (const line of createInterface({ input: start.stdout })) {
      if (!line.startsWith('{"event":"relay.listening"')) continue;
      ({ url } = JSON.parse(line) as { url: string });
      break;
    }
    const page = await fetch(url);
    expect([page.status, page.headers.get("content-type")]).toEqual([
      200,
      "text/html;charset=utf-8",
    ]);
    const script = /src="(\/assets\/[^"]+\.js)"/.exec(await page.text())?.[1];
    expect(script).toBeDefined();
    expect((await fetch(new URL(script!, url))).status).toBe(200);
    using ada = connect(url.replace("http", "ws"), "notes/index");
    await synced(ada);
  } finally {
    start.stdout.resume();
    process.kill(-start.pid!, "SIGTERM");
    await closed;
    await rm(data, { recursive: true, force: true });
  }
});
