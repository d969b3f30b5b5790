import { assert, type Signer } from "@heddle/core";
import type { Replication } from "@heddle/sync";

import { testHash } from "../test-environment.ts";
import type { SimWriter } from "./sim-author.ts";
import type { SimDisk } from "./sim-disk.ts";
import type { SimEngine } from "./sim-engine.ts";
import type { NetworkEnd } from "./sim-network.ts";
import { SimProcess } from "./sim-process.ts";
import { SimStore } from "./sim-store.ts";
import type { SimSurroundings } from "./sim-surroundings.ts";
import { SimClock } from "./sim-time.ts";

export interface SimReplicaOptions {
  readonly name: string;
  readonly isRelay: boolean;
  readonly disk: SimDisk;
  readonly signer: Signer;
  /** Names of replicas that this one connects to. */
  readonly targets: readonly string[];
  readonly clockOffsetMs: number;
}

/**
 * A machine with a disk, and on it, when it is up, a {@link SimProcess} around the very state machine
 * that ships: its store, engine, clock and connections are simulated, everything that decides is not.
 */
export class SimReplica implements NetworkEnd {
  readonly name: string;
  readonly disk: SimDisk;
  readonly signer: Signer;
  readonly clock: SimClock;
  readonly options: SimReplicaOptions;
  readonly #around: SimSurroundings;
  #process: SimProcess | undefined;
  /** Read, and not yet allowed to speak: its new incarnation is on its way to disk. */
  #starting: SimStore | undefined;
  #generation = 0;

  constructor(around: SimSurroundings, options: SimReplicaOptions) {
    this.#around = around;
    this.options = options;
    this.name = options.name;
    this.disk = options.disk;
    this.signer = options.signer;
    this.clock = new SimClock(around.time, options.clockOffsetMs);
  }

  get isUp(): boolean {
    return this.#process !== undefined;
  }

  /** It has read its disk, and waits for what it wrote there first. */
  get isStarting(): boolean {
    return this.#starting !== undefined && !this.isUp;
  }

  get store(): SimStore | undefined {
    return this.#process?.store;
  }

  get replication(): Replication | undefined {
    return this.#process?.replication;
  }

  get engine(): SimEngine | undefined {
    return this.#process?.engine;
  }

  /** What a copy of this process's memory would hold; `undefined` before its first write. */
  get writer(): SimWriter | undefined {
    return this.#process?.author.writer;
  }

  /** Starts from the disk; false when the disk is damaged. `clone` makes it go on as a clone. */
  start(clone?: SimWriter): boolean {
    assert(!this.isUp, "a replica is started once");
    const generation = ++this.#generation;
    const store = SimStore.open(testHash, this.disk, this.#around.random, () => {
      if (generation === this.#generation && this.#starting) this.#begin(this.#starting, clone);
    });
    this.#starting = store;
    this.note(store ? "starts" : "finds its disk damaged");
    return store !== undefined;
  }

  /** Power loss. Peers notice at once, or only by silence. */
  crash(isNoticed: boolean): void {
    this.note("crashes");
    this.#generation++;
    if (this.#process) this.#process.isOver = true;
    this.#process = undefined;
    this.#starting = undefined;
    this.disk.crash();
    if (isNoticed) this.#around.network.closeAllOf(this);
  }

  /** A local change, on its way to disk. */
  async edit(name: string): Promise<void> {
    await this.#process?.author.edit(name);
  }

  /** Some document of its log is folded into a checkpoint. */
  checkpoint(prunes: boolean): void {
    const documents = [...(this.store?.documents.keys() ?? [])];
    if (documents.length > 0)
      this.#process?.checkpoint(this.#around.random.pick(documents), prunes);
  }

  /** A bit of some document in memory turns; `choice` says which. False where there is none. */
  damage(choice: number): boolean {
    const documents = [...(this.store?.documents.keys() ?? [])];
    const document = documents[choice % documents.length];
    return document !== undefined && (this.#process?.drift.damage(document) ?? false);
  }

  /** Documents in memory that are damaged, and not repaired and written down. */
  get damaged(): ReadonlySet<string> {
    return this.#process?.drift.damaged ?? new Set();
  }

  onFrame(connection: number, bytes: Uint8Array): void {
    this.#process?.replication.receive(connection, bytes, this.#around.time.nowMs);
    this.#process?.drain();
  }

  onClosed(connection: number): void {
    this.#process?.replication.disconnected(connection, this.#around.time.nowMs);
    this.#process?.drain();
  }

  /** Somebody connects to this replica. */
  accept(connection: number): boolean {
    if (!this.#process) return false;
    this.#process.replication.connect(connection, "acceptor", this.#around.time.nowMs);
    this.#process.drain();
    return true;
  }

  isConnectedTo(target: string): boolean {
    return this.#process?.dials.isLive(target) ?? false;
  }

  /** The network is good again: try at once. */
  resetDials(): void {
    this.#process?.dials.reset();
  }

  /** Nobody knows what is on disk: start over from the log, as the replica does (ADR-0008). */
  storeFailed(): void {
    this.note("store fails");
    this.crash(true);
    const { time, random } = this.#around;
    const generation = this.#generation;
    time.after(random.between(10, 500), () => {
      if (generation === this.#generation && !this.isUp) this.start();
    });
  }

  note(what: string): void {
    this.#around.trace.add(this.#around.time.nowMs, this.name, what);
  }

  #begin(store: SimStore, clone: SimWriter | undefined): void {
    this.#process = new SimProcess(this.#around, this, store, clone);
    this.#process.tick();
  }
}
