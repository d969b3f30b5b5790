import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { gunzipSync } from "node:zlib";

import { equalBytes } from "@heddle/core";
import { openDeviceKey } from "@heddle/replica/node";
import { afterAll, beforeAll, expect, test } from "vitest";

import { sleep, until } from "../integration/stock-client.ts";
import { connectStock } from "../interop/stock-providers.ts";
import { compileProgram, ProgramProcess, removePrograms } from "../processes/program.ts";
import { RelayProcess, repositoryFolder } from "../processes/relay-process.ts";
import { lanesIn } from "./lanes-in.ts";
import { StoreFolder } from "./store-survey.ts";

// Goal: a session of two people, each on a replica of their own, ends as it did when it was recorded,
// whatever happens to the replicas, and what is said to be in an outbox is what the relay lacks.
// Method: each person is a process that types on top of exactly what the recorded person saw. They are
// taken offline and killed with -9 together with the relay; then their folders are compared.

const file = path.join(repositoryFolder, "../shared/data/editing-traces/friendsforever.json.gz");
const isThere = existsSync(file);
if (!isThere) {
  const message = `no editing traces in ${file}`;
  if (process.env["CI"]) throw new Error(message);
  console.warn(`SKIPPED: ${message}`);
}
const patienceMs = 120_000;
let program: string;

beforeAll(() => {
  program = compileProgram("faults/trace-player-program");
});
afterAll(removePrograms);

/** One person, in as many processes as are killed. */
class Player {
  readonly folder: string;
  readonly #agent: number;
  /** What the store said at its last opening. */
  opened = { typed: 0, outbox: 0 };
  typed = 0;
  #process!: ProgramProcess;
  #isOffline = false;
  #text: string | undefined;
  #doneOutbox: number | undefined;

  constructor(folder: string, agent: number) {
    this.folder = folder;
    this.#agent = agent;
  }

  get isDone(): boolean {
    return this.#doneOutbox !== undefined;
  }

  /** When all is done. */
  get outboxAtEnd(): number | undefined {
    return this.#doneOutbox;
  }

  async start(url: string): Promise<void> {
    const child = new ProgramProcess(program, [this.folder, file, String(this.#agent), url]);
    this.#process = child;
    const [, typed, outbox] = (await child.nextLine())!.split(" ").map(Number);
    this.opened = { typed: typed!, outbox: outbox! };
    void this.#follow(child);
  }

  /** Resolves when the relay is known to have all that was typed, and is out of reach. */
  async goOffline(): Promise<void> {
    this.#isOffline = false;
    this.#process.write("offline");
    await until(() => this.#isOffline, "it is offline", patienceMs);
  }

  async text(): Promise<string> {
    this.#process.write("text");
    await until(() => this.#text !== undefined, "the text is told", patienceMs);
    return this.#text!;
  }

  async kill(): Promise<void> {
    this.#process.kill();
    await this.#process.finish();
  }

  async #follow(child: ProgramProcess): Promise<void> {
    for (let line = await child.nextLine(); line !== undefined; line = await child.nextLine()) {
      if (line.startsWith("typed ")) this.typed = Number(line.slice(6));
      if (line === "offline") this.#isOffline = true;
      if (line.startsWith("done ")) this.#doneOutbox = Number(line.slice(5));
      if (line.startsWith("{")) this.#text = (JSON.parse(line) as { text: string }).text;
    }
  }
}

/** Envelopes that were written in `folder` and are not at the relay. */
async function missingAt(relayFolder: string, folder: string): Promise<number> {
  const { devicePublicKey } = await openDeviceKey(path.join(folder, "device-key.pem"));
  const [relay, own] = [await lanesIn(relayFolder), await lanesIn(folder)];
  let missing = 0;
  for (const [lane, top] of own.tops) {
    if (!equalBytes(own.devices.get(lane)!, devicePublicKey)) continue;
    missing += top - (relay.tops.get(lane) ?? 0);
  }
  return missing;
}

test.skipIf(!isThere)(
  "[WIR-8][WIR-18][LIV-9] two replicas that are offline at times, killed and reopened, type one session to its end",
  async () => {
    await using place = await StoreFolder.make();
    const relayFolder = path.join(place.folder, "relay");
    let relay = await RelayProcess.start({ data: relayFolder });
    const { port } = relay;
    const url = relay.url.replace("http", "ws");
    const players = [0, 1].map((agent) => new Player(path.join(place.folder, `${agent}`), agent));
    for (const player of players) await player.start(url);
    const counts: {
      readonly said: number;
      readonly lacking: number;
      readonly wasOffline: boolean;
    }[] = [];
    for (let round = 0; round < 4; round++) {
      const player = players[round % 2]!;
      const wasOffline = round % 3 !== 0;
      const from = player.typed;
      await until(() => player.typed > from + 600, "somebody types", patienceMs);
      if (wasOffline) await player.goOffline();
      // What is known of the relay's disk is written every two seconds at the latest.
      await sleep(wasOffline ? 4_000 : 0);
      await player.kill();
      await relay.kill();
      const lacking = await missingAt(relayFolder, player.folder);
      relay = await RelayProcess.start({ data: relayFolder, port });
      await player.start(url);
      counts.push({ said: player.opened.outbox, lacking, wasOffline });
    }
    for (const { said, lacking, wasOffline } of counts) {
      if (wasOffline) expect(said).toBe(lacking);
      expect(said).toBeGreaterThanOrEqual(lacking);
    }
    expect(Math.max(...counts.map(({ lacking }) => lacking))).toBeGreaterThan(0);
    console.info(counts.map((each) => JSON.stringify(each)).join(" "));
    await until(() => players.every(({ isDone }) => isDone), "all is typed", patienceMs);
    expect(players.map(({ outboxAtEnd }) => outboxAtEnd)).toEqual([0, 0]);
    const { endContent } = JSON.parse(gunzipSync(readFileSync(file)).toString("utf8"));
    for (const player of players) expect((await player.text()) === endContent).toBe(true);
    using fresh = connectStock({ url, name: "trace", version: "3.1.0" });
    await until(() => fresh.provider.synced, "a fresh client is synced", patienceMs);
    expect(fresh.ydoc.getText("text").toJSON() === endContent).toBe(true);
    for (const player of players) await player.kill();
    await relay.kill();
    // Each envelope once, everywhere, and the same ones.
    const stores = [relayFolder, ...players.map(({ folder }) => folder)];
    const all = await Promise.all(stores.map((folder) => lanesIn(folder)));
    for (const { envelopes, distinct, tops } of all) {
      expect(envelopes).toBe(distinct);
      expect(new Map([...tops].toSorted())).toEqual(new Map([...all[0]!.tops].toSorted()));
    }
  },
);
