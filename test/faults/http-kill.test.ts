import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";

import { webSocketTransport } from "@heddle/client";
import { httpTransport } from "@heddle/client/http";
import type { LiveDocument, LiveReplica, PeerTarget } from "@heddle/replica";
import { openReplica } from "@heddle/replica/node";
import { expect, test } from "vitest";
import { WebSocket } from "ws";

import { memoryStore } from "../integration/relay-under-test.ts";
import { until } from "../integration/stock-client.ts";
import { RelayProcess } from "../processes/relay-process.ts";

// Goal: who can send nothing but requests works with everybody else, also when the relay dies between.
// Method: one replica over HTTP and one over a WebSocket write through one relay that is killed with -9
// in the middle of it; both have everything once.

interface Writer extends AsyncDisposable {
  readonly replica: LiveReplica;
  readonly live: LiveDocument;
  readonly items: () => string[];
  write(count: number): void;
}

async function openWriter(name: string, target: PeerTarget): Promise<Writer> {
  const store = await memoryStore();
  const replica = await openReplica({ store, peers: [target] });
  const live = await replica.open("notes");
  let written = 0;
  const list = () => live.ydoc.getArray<string>("list");
  return {
    replica,
    live,
    items: () => list().toArray(),
    write(count) {
      for (let left = count; left > 0; left--) list().push([`${name} ${written++}`]);
    },
    async [Symbol.asyncDispose]() {
      await replica.close();
      await store.close();
    },
  };
}

test("[RLY-3][RLY-19] one replica over HTTP, one over a WebSocket, and the relay killed between", async () => {
  const data = await mkdtemp(path.join(tmpdir(), "heddle-http-"));
  const flags = ["--token", "s3cr3t"];
  try {
    const first = await RelayProcess.start({ data, flags });
    const { port, url } = first;
    const overHttp = httpTransport({ url: `${url}/heddle/1/`, token: "s3cr3t" });
    const socketUrl = `${url.replace("http", "ws")}/?token=s3cr3t`;
    const overSocket = webSocketTransport({ url: socketUrl, WebSocket });
    await using ada = await openWriter("ada", { name: "http", transport: overHttp });
    await using bo = await openWriter("bo", { name: "socket", transport: overSocket });
    ada.write(50);
    bo.write(50);
    await until(() => ada.items().length === 100 && bo.items().length === 100, "both have both");
    ada.write(20);
    bo.write(20);
    await first.kill();
    ada.write(20);
    bo.write(20);
    await using second = await RelayProcess.start({ data, port, flags });
    // Nobody has to wait for the back-off to see that they come back by themselves.
    for (const { replica } of [ada, bo]) replica.peers!.retryNow();
    await until(
      () => ada.items().length === 180 && bo.items().length === 180,
      "both have both again",
      60_000,
    );
    const wanted = ["ada", "bo"].flatMap((name) => {
      return Array.from({ length: 90 }, (_, index) => `${name} ${index}`);
    });
    for (const { items } of [ada, bo]) expect(items().toSorted()).toEqual(wanted.toSorted());
    await ada.live.whenRelayed();
    expect(ada.replica.peers!.outbox.envelopes).toBe(0);
    expect(second.isRunning).toBe(true);
  } finally {
    await rm(data, { recursive: true, force: true });
  }
});
