import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";

import { webSocketTransport } from "@heddle/client";
import { parseDocumentName, type Environment, type Signer } from "@heddle/core";
import { PeerHost, PeerSet, readForkedLanes, Replica, type ForkedLane } from "@heddle/replica";
import { ephemeralDeviceKey, nodeEnvironment, nodeVerifier } from "@heddle/replica/node";
import { openLevelStore } from "@heddle/storage-level";
import { PeerRole } from "@heddle/sync";
import { expect, test } from "vitest";
import { WebSocket } from "ws";
import * as Y from "yjs";

import { until } from "../integration/stock-client.ts";
import { connectStock } from "../interop/stock-providers.ts";
import { runHeddle } from "../processes/heddle-command.ts";
import { RelayProcess } from "../processes/relay-process.ts";

// Goal: the image of a running machine is started twice and both write one lane. It is found out, the
// rest goes on, and nothing of either history is thrown away.
// Method: two replicas on folders of their own that draw the same randomness at the same time: the same
// store, device and lane, as a copied image has. Both write apart and then meet one relay.

const name = parseDocumentName("notes");
const ignore = (): void => undefined;
const silent = { debug: ignore, info: ignore, warn: ignore, error: ignore };
const imageTakenMs = Date.UTC(2026, 10, 21);

/** What a copied image goes on with: its clock and its randomness. */
function imageEnvironment(): Environment {
  const environment = nodeEnvironment(silent);
  return {
    ...environment,
    clock: { ...environment.clock, nowMs: () => imageTakenMs },
    random: { bytes: (length) => new Uint8Array(length).fill(7) },
  };
}

/** One of the machines that run the image. */
class Machine implements AsyncDisposable {
  readonly replica: Replica;
  readonly host: PeerHost;
  readonly #forks: () => Promise<readonly ForkedLane[]>;
  readonly #end: () => Promise<void>;
  #set: PeerSet | undefined;

  private constructor(
    replica: Replica,
    host: PeerHost,
    forks: () => Promise<readonly ForkedLane[]>,
    end: () => Promise<void>,
  ) {
    this.replica = replica;
    this.host = host;
    this.#forks = forks;
    this.#end = end;
  }

  static async start(folder: string, signer: Signer): Promise<Machine> {
    const environment = imageEnvironment();
    const store = await openLevelStore(folder, { environment });
    const parts = { store, environment, signer, engine: "test" };
    const replica = await Replica.open(parts);
    const role = PeerRole.replica;
    const settings = { role, adopt: true, follow: true, hasOutbox: true, verifier: nodeVerifier };
    const host = await PeerHost.open({ ...parts, ...settings, replica });
    const forks = async () => {
      const document = await replica.acquire(name);
      replica.release(document);
      return readForkedLanes({ store, environment }, document.entry.id);
    };
    return new Machine(replica, host, forks, async () => {
      host.stop();
      await replica.close();
      await store.close();
    });
  }

  /** Types into a page of its own, letter by letter: an envelope each. */
  async write(text: string): Promise<void> {
    const page = new Y.Doc();
    const document = await this.replica.acquire(name);
    for (const letter of text) {
      const before = Y.encodeStateVector(page);
      page.getText("text").insert(page.getText("text").length, letter);
      document.submit(Y.encodeStateAsUpdate(page, before), {});
      await document.whenSettled();
    }
    this.replica.release(document);
  }

  dial({ url }: RelayProcess): void {
    const transport = webSocketTransport({ url: url.replace("http", "ws"), WebSocket });
    const targets = [{ name: "relay", transport }];
    this.#set = new PeerSet({ host: this.host, environment: imageEnvironment(), targets });
    this.#set.start();
  }

  forks(): Promise<readonly ForkedLane[]> {
    return this.#forks();
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#set?.stop();
    return this.#end();
  }
}

test("[WIR-12][DRF-6] a lane that two machines wrote is frozen, both histories are kept, listed and exported, and all else goes on", async () => {
  const root = await mkdtemp(path.join(tmpdir(), "heddle-forked-"));
  const data = path.join(root, "relay");
  const log: string[] = [];
  const onLogLine = (line: string): void => void log.push(line);
  const signer = ephemeralDeviceKey();
  try {
    {
      await using relay = await RelayProcess.start({
        data,
        flags: ["--admin-port", "0"],
        onLogLine,
      });
      await using first = await Machine.start(path.join(root, "first"), signer);
      await using second = await Machine.start(path.join(root, "second"), signer);
      await first.write("first");
      await second.write("second");
      using reader = connectStock({ url: relay.url.replace("http", "ws"), name, version: "3.1.0" });
      const shown = () => reader.ydoc.getText("text").toString();
      first.dial(relay);
      await until(() => shown() === "first", "the relay has the first history");

      second.dial(relay);
      await until(() => first.host.counters.forks > 0, "the first machine knows");
      await until(() => second.host.counters.forks > 0, "the second machine knows");
      expect(
        (await relay.metrics()).match(/heddle_sync_events_total\{event="forks"\} (\d+)/)?.[1],
      ).toBe("1");
      expect(log.filter((line) => line.includes('"lane.forked"'))).toHaveLength(1);
      expect(await relay.metrics()).toContain('heddle_drift_found_total{cause="fork"} 1');
      expect(shown()).toBe("first");

      // Each goes on in a lane of its own, and with pages that do not stand on the lost history.
      await first.write("!");
      await second.write("?");
      await until(() => /[!]/.test(shown()) && /[?]/.test(shown()), "what comes later");
      const [ofFirst, ofSecond] = [await first.forks(), await second.forks()];
      for (const [forks, letters] of [
        [ofFirst, 5],
        [ofSecond, 6],
      ] as const) {
        expect(forks).toHaveLength(1);
        const logged = forks[0]!.branches.filter(({ isLogged }) => isLogged);
        expect(logged.map(({ envelopes }) => envelopes)).toEqual([letters]);
        expect(forks[0]!.branches).toHaveLength(2);
      }
    }
    const { status, out } = await runHeddle("quarantine", "list", data, "--json");
    expect(status).toBe(0);
    const { forked } = JSON.parse(out) as { forked: readonly ForkedLane[] };
    const texts = new Map<boolean, string>();
    for (const { id, isLogged } of forked[0]!.branches) {
      const file = path.join(root, `${id}.bin`);
      const exported = await runHeddle(
        "quarantine",
        "export",
        data,
        id,
        "--doc",
        name,
        "--out",
        file,
      );
      expect(exported).toMatchObject({ status: 0, err: "" });
      const page = new Y.Doc();
      Y.applyUpdate(page, new Uint8Array(await readFile(file)));
      texts.set(isLogged, page.getText("text").toString());
    }
    expect(texts).toEqual(
      new Map([
        [true, "first"],
        [false, "second"],
      ]),
    );
  } finally {
    await rm(root, { recursive: true, force: true });
  }
});
