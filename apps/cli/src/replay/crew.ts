import { setMaxListeners } from "node:events";

import { HeddleError, HeddleErrorCode } from "@heddle/core";

import type { Captured } from "./footprint.ts";
import type { LedgerEntry } from "./ledger.ts";
import { ArrivalCursor, Ledger } from "./ledger.ts";
import type { Progress } from "./progress.ts";
import type { RelayTarget } from "./stock-client.ts";
import { StockClient } from "./stock-client.ts";

/** A socket that holds more than this belongs to a relay that does not keep up. */
const bufferedBytesMax = 1024 * 1024;

export interface CrewOptions {
  readonly target: RelayTarget;
  readonly clients: number;
  readonly agents: number;
  /** Transactions that a client may have typed and some other client not seen yet. */
  readonly window: number;
}

export interface Member {
  readonly client: StockClient;
  readonly cursor: ArrivalCursor;
}

/** The stock clients of one replay, and who holds what. */
export class Crew {
  readonly ledger: Ledger;
  readonly members: readonly Member[];
  readonly latencyMs: number[] = [];
  readonly #late: Member[] = [];
  readonly #inFlight: number[];
  readonly #options: CrewOptions;
  readonly #progress: Progress;

  constructor(options: CrewOptions, progress: Progress) {
    this.#options = options;
    this.#progress = progress;
    this.ledger = new Ledger(options.agents);
    this.#inFlight = Array.from({ length: options.clients }, () => 0);
    // Every provider listens for the end of the process, one late client included.
    const listeners = process.listenerCount("exit") + options.clients + 1;
    setMaxListeners(Math.max(process.getMaxListeners(), listeners), process);
    this.members = this.#inFlight.map((_, index) =>
      this.#join(`client ${index}`, (entry) => this.#onArrived(entry, index)),
    );
  }

  get reconnects(): number {
    return this.#everybody().reduce((sum, { client }) => sum + client.reconnects, 0);
  }

  /** Whether the client may type one more; paces it by the slowest of the others. */
  mayType(client: number): boolean {
    return (
      this.#inFlight[client]! < this.#options.window &&
      this.members[client]!.client.bufferedBytes < bufferedBytesMax
    );
  }

  /** Notes a transaction that `client`'s document already holds. */
  record(typed: Captured & { agent: number; client: number; index: number }): void {
    const unseenBy = this.members.length - 1;
    this.ledger.add({ ...typed, typedAtMs: performance.now(), unseenBy });
    if (unseenBy > 0) this.#inFlight[typed.client]!++;
    this.#advance(this.members[typed.client]!, (entry) => this.#onArrived(entry, typed.client));
  }

  /** A fresh client that was not there while people typed. */
  joinLate(): Member {
    const member = this.#join("late client", () => {});
    this.#late.push(member);
    return member;
  }

  /** @throws HeddleError when the relay turned a client away for good. */
  requireWelcome(): void {
    for (const { client } of this.#everybody()) {
      if (client.refusal === undefined) continue;
      throw new HeddleError(
        HeddleErrorCode.sessionRefused,
        `the relay refused ${client.name}: ${client.refusal}`,
      );
    }
  }

  /** For people: what each client lacks, and whether it is connected. */
  describe(): string {
    return this.#everybody()
      .map(({ client, cursor }) => {
        const missing = cursor.firstMissing();
        const link = client.isConnected ? "connected" : "not connected";
        const lack =
          missing === undefined
            ? "holds all that was typed"
            : `lacks transaction ${missing.index} typed at client ${missing.client}`;
        return `${client.name} is ${link} and ${lack}`;
      })
      .join("; ");
  }

  close(): void {
    for (const { client } of this.#everybody()) client.close();
  }

  #join(name: string, onArrived: (entry: LedgerEntry) => void): Member {
    const client = new StockClient(name, this.#options.target);
    const member = { client, cursor: new ArrivalCursor(client.doc, this.ledger) };
    client.doc.on("update", () => this.#advance(member, onArrived));
    return member;
  }

  #advance({ cursor }: Member, onArrived: (entry: LedgerEntry) => void): void {
    cursor.advance((entry) => {
      this.#progress.moved();
      onArrived(entry);
    });
  }

  #onArrived(entry: LedgerEntry, at: number): void {
    if (entry.client === at) return;
    this.latencyMs.push(performance.now() - entry.typedAtMs);
    entry.unseenBy--;
    if (entry.unseenBy === 0) this.#inFlight[entry.client]!--;
  }

  #everybody(): readonly Member[] {
    return [...this.members, ...this.#late];
  }
}
