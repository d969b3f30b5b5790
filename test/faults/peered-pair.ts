import path from "node:path";

import { sleep } from "../integration/stock-client.ts";
import { ProgramProcess } from "../processes/program.ts";
import { RelayProcess } from "../processes/relay-process.ts";
import type { Site, SmallNetwork } from "../processes/small-network.ts";
import { PeerRecord } from "./peer-record.ts";

export const relayPort = 8787;
export const documentName = "shared";

interface Writer {
  readonly name: string;
  readonly site: Site;
  readonly process: ProgramProcess;
}

export interface PeeredPairOptions {
  readonly network: SmallNetwork;
  /** Holds the folders of both. */
  readonly folder: string;
  /** The compiled writer. */
  readonly program: string;
}

/**
 * Two relays on two machines, of which the second dials the first, and stock clients that write: one
 * beside each relay, which no fault of the network keeps from it, and one at the second machine that
 * writes to the first through the network.
 */
export class PeeredPair implements AsyncDisposable {
  /** What the log of the second relay says of its peer, by process. */
  readonly dials: PeerRecord[] = [];
  /** And that of the first, in all its lives. */
  readonly accepting = new PeerRecord();
  readonly #options: PeeredPairOptions;
  readonly #relays = new Map<Site, RelayProcess>();
  readonly #writers: Writer[] = [];

  private constructor(options: PeeredPairOptions) {
    this.#options = options;
  }

  static async start(options: PeeredPairOptions): Promise<PeeredPair> {
    const pair = new PeeredPair(options);
    try {
      await pair.startRelay("a");
      await pair.startRelay("b");
      const { network } = options;
      pair.#startWriter("at a", "a", "127.0.0.1");
      pair.#startWriter("at b", "b", "127.0.0.1");
      pair.#startWriter("from b", "b", network.address("a"));
      return pair;
    } catch (error) {
      await pair[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Of the process that runs now, or ran last. */
  get dialing(): PeerRecord {
    return this.dials.at(-1)!;
  }

  dataOf(site: Site): string {
    return path.join(this.#options.folder, site);
  }

  async startRelay(site: Site): Promise<void> {
    const { network } = this.#options;
    const record = site === "a" ? this.accepting : new PeerRecord();
    if (site === "b") this.dials.push(record);
    const peer = site === "b" ? ["--peer", `ws://${network.address("a")}:${relayPort}`] : [];
    const relay = await RelayProcess.start({
      data: this.dataOf(site),
      host: "0.0.0.0",
      port: relayPort,
      through: network.through(site),
      flags: ["--open", "--log-level", "info", ...peer],
      onLogLine: record.take,
    });
    this.#relays.set(site, relay);
  }

  async killRelay(site: Site): Promise<void> {
    await this.#relays.get(site)?.kill();
  }

  write(): void {
    for (const { process } of this.#writers) process.write("write");
  }

  /** Stops writing. Returns everything that was written, sorted. */
  async rest(): Promise<readonly string[]> {
    const all: string[] = [];
    for (const { name, process } of this.#writers) {
      const written = Number(await this.#ask(process, "rest"));
      for (let index = 0; index < written; index++) all.push(`${name}: ${index}`);
    }
    return all.toSorted();
  }

  /** What each client sees, sorted. */
  async lists(): Promise<readonly (readonly string[])[]> {
    const lists: string[][] = [];
    for (const { process } of this.#writers) {
      lists.push((JSON.parse(await this.#ask(process, "list")) as string[]).toSorted());
    }
    return lists;
  }

  /** Items of the client beside the other relay that the client beside `site`'s sees. */
  async seenAcross(site: Site): Promise<number> {
    const { process } = this.#writers.find(({ name }) => name === `at ${site}`)!;
    const other = site === "a" ? "at b: " : "at a: ";
    const items = JSON.parse(await this.#ask(process, "list")) as string[];
    return items.filter((item) => item.startsWith(other)).length;
  }

  /** Resolves when every client sees as many items as `written` has. */
  async converge(written: readonly string[], timeoutMs: number): Promise<void> {
    const startedMs = performance.now();
    for (;;) {
      const lengths = (await this.lists()).map(({ length }) => length);
      if (lengths.every((length) => length >= written.length)) return;
      if (performance.now() - startedMs > timeoutMs) {
        throw new Error(`of ${written.length} items the clients see ${lengths.join(", ")}`);
      }
      await sleep(100);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { process } of this.#writers) process.kill();
    await Promise.all(this.#writers.map(({ process }) => process.finish()));
    await Promise.all([...this.#relays.values()].map((relay) => relay.kill()));
  }

  #startWriter(name: string, site: Site, host: string): void {
    const { network, program } = this.#options;
    const args = [`ws://${host}:${relayPort}`, documentName, name];
    const process = new ProgramProcess(program, args, network.through(site));
    this.#writers.push({ name, site, process });
  }

  async #ask(process: ProgramProcess, order: string): Promise<string> {
    process.write(order);
    const answer = await process.nextLine();
    if (answer === undefined) throw new Error(`a writer ended before it answered to ${order}`);
    return answer;
  }
}
