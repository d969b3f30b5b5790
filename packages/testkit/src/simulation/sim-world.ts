import { HeddleErrorCode, type DocumentId, type LaneId } from "@heddle/core";

import { seededSigner, testVerifier } from "../test-environment.ts";
import { BrokenPromise, SimChecker } from "./sim-checker.ts";
import { hashSigner, hashVerifier } from "./sim-crypto.ts";
import type { SimWriter } from "./sim-author.ts";
import { SimDisk } from "./sim-disk.ts";
import type { SimEngineFactory } from "./sim-engine.ts";
import { SimNetwork, soundNetwork } from "./sim-network.ts";
import type { SimAction, SimPlan } from "./sim-plan.ts";
import type { SimRandom } from "./sim-random.ts";
import { SimReplica } from "./sim-replica.ts";
import type { SimSurroundings } from "./sim-surroundings.ts";
import { SimTime } from "./sim-time.ts";
import { SimTrace } from "./sim-trace.ts";

/** What is at rest is compared again after so long, where memory can be damaged. */
export const simAuditMs = 8_000;
const relayName = "relay";
/** Longer than any back-off and any silence: whatever can settle has settled by then. */
const quietMsMax = 400_000;
const forkedMsMax = 90_000;
const yearMs = 365 * 24 * 3_600_000;

export interface SimWorldOptions {
  readonly plan: SimPlan;
  readonly random: SimRandom;
  readonly engine: SimEngineFactory;
  /** Ed25519 instead of hashes. */
  readonly realSignatures: boolean;
  readonly keepsTimeline: boolean;
}

/** A relay, some replicas around it and between them, and everything that can go wrong with them. */
export class SimWorld {
  readonly time = new SimTime();
  readonly trace: SimTrace;
  readonly network: SimNetwork;
  readonly checker: SimChecker;
  readonly counts = { edits: 0, crashes: 0, faults: 0, clones: 0 };
  readonly #options: SimWorldOptions;
  readonly #random: SimRandom;
  readonly #replicas = new Map<string, SimReplica>();
  readonly #backups = new Map<string, Uint8Array>();
  readonly #around: SimSurroundings;
  #isHealed = false;

  constructor(options: SimWorldOptions) {
    const { plan, engine, keepsTimeline, realSignatures } = options;
    this.#options = options;
    this.#random = options.random.fork();
    this.trace = new SimTrace(keepsTimeline);
    this.network = new SimNetwork(this.time, options.random.fork());
    this.network.faults = plan.network;
    // Each session may hold twice its credit, and one frame; a replica has few sessions at a time.
    this.checker = new SimChecker(16 * (2 * plan.creditBytes + 256 * 1024));
    this.#around = {
      time: this.time,
      network: this.network,
      random: options.random.fork(),
      trace: this.trace,
      checker: this.checker,
      verifier: realSignatures ? testVerifier : hashVerifier,
      engine,
      plan,
      limits: {
        reorderEnvelopesMax: plan.reorderEnvelopesMax,
        creditBytes: plan.creditBytes,
        pushBytesMax: 2 * 1024,
        checkpointChunkBytes: 512,
        checkpointEnvelopesMin: 8,
        // A cursor that is said late hides what is wrong with it.
        markRestMs: 0,
        ...(plan.chances.stateFlip > 0 && { digestAuditMs: simAuditMs }),
      },
      replica: (name) => this.#replicas.get(name),
    };
    for (let index = 0; index < plan.replicas; index++) this.#add(index);
  }

  get replicas(): readonly SimReplica[] {
    return [...this.#replicas.values()];
  }

  replica(name: string): SimReplica | undefined {
    return this.#replicas.get(name);
  }

  /** Runs the plan's steps, heals everything, and waits until nothing moves. */
  async run(): Promise<void> {
    for (const replica of this.replicas) replica.start();
    for (let step = 0; step < this.#options.plan.steps; step++) {
      await this.advance(this.#random.fraction() * this.#options.plan.stepMsMax);
      await this.#act(this.#draw());
    }
    await this.heal();
    await this.settle();
  }

  async advance(ms: number): Promise<void> {
    const untilMs = this.time.nowMs + ms;
    while (await this.time.step(untilMs));
  }

  /** No more faults: everything is up and connected. */
  async heal(): Promise<void> {
    this.#isHealed = true;
    this.network.heal();
    this.network.faults = soundNetwork;
    for (const replica of this.replicas) {
      replica.disk.faults = { failedWriteRatio: 0, syncMsMax: 3 };
      if (!replica.isUp) this.#restart(replica);
    }
    this.trace.add(this.time.nowMs, "world", "heals");
    // What was damaged or late may still be on its way.
    await this.advance(2_000);
    for (const replica of this.replicas) replica.resetDials();
  }

  /** @throws BrokenPromise when it does not become quiet. */
  async settle(): Promise<void> {
    const untilMs = this.time.nowMs + (this.checker.isCloned ? forkedMsMax : quietMsMax);
    while (this.time.nowMs < untilMs) {
      await this.advance(500);
      if (this.#isQuiet()) return;
    }
    // What depends on one branch of a forked lane cannot come to who holds the other.
    if (this.checker.isCloned) return;
    const states = this.replicas.map((replica) => {
      const { name, replication } = replica;
      const state = replication?.isSettled ? "settled" : "unsettled";
      return `${name} is ${state} and holds ${this.#heightsOf(replica)}`;
    });
    const waited = `no quiet after ${quietMsMax / 1000} s of a sound network`;
    throw new BrokenPromise(`[WIR-8] ${waited}: ${states.join("; ")}`);
  }

  #heightsOf({ store }: SimReplica): string {
    const heights: string[] = [];
    for (const [id, { vector }] of store?.documents ?? []) {
      for (const [lane, { seq }] of vector) {
        heights.push(`${id.slice(0, 4)}/${lane.slice(0, 6)}/${seq}`);
      }
    }
    return heights.toSorted().join(" ");
  }

  #isQuiet(): boolean {
    const isSettled = this.replicas.every(({ replication }) => replication?.isSettled);
    // Who has nobody to speak with lacks nothing that it knows of. Of a fork it hears when it has dialed.
    const areMet = this.replicas.every((replica) => {
      return replica.options.targets.every((target) => replica.isConnectedTo(target));
    });
    if (this.checker.isCloned && !areMet) return false;
    if (!isSettled) return false;
    const [first, ...others] = this.replicas.map((replica) => this.#vectorsOf(replica));
    return others.every((vectors) => vectors === first);
  }

  /** What a replica holds, without lanes that it froze. */
  #vectorsOf({ store }: SimReplica): string {
    const parts: string[] = [];
    for (const [id, { vector }] of store?.documents ?? []) {
      for (const [lane, { seq }] of vector)
        if (!this.#isFrozen(id, lane)) parts.push(`${id}${lane}${seq}`);
    }
    return parts.toSorted().join();
  }

  #isFrozen(document: DocumentId, lane: LaneId): boolean {
    return this.replicas.some(({ store }) => {
      return store?.documents.get(document)?.forks.some((proof) => proof.lane.id === lane);
    });
  }

  #draw(): SimAction {
    const chances = Object.entries(this.#options.plan.chances) as [SimAction, number][];
    let left = this.#random.fraction() * chances.reduce((sum, [, chance]) => sum + chance, 0);
    for (const [action, chance] of chances) {
      left -= chance;
      if (left < 0) return action;
    }
    return "edit";
  }

  async #act(action: SimAction): Promise<void> {
    const replica = this.#random.pick(this.replicas);
    if (action !== "edit") {
      this.counts.faults++;
      this.trace.add(this.time.nowMs, "world", `${action} ${replica.name}`);
    }
    switch (action) {
      case "edit":
        return this.#edit(replica);
      case "crash":
        return this.#crash(replica, this.#random.between(0, 5_000));
      case "partition":
        return this.#partition(replica);
      case "heal":
        return this.network.heal();
      case "disconnect":
        return this.network.closeSome(0.5);
      case "rollback":
        return this.#rollback(replica);
      case "copy":
        this.#backups.set(replica.name, replica.disk.snapshot());
        return undefined;
      case "bitFlip":
        return this.#flipBit(replica);
      case "clockJump":
        replica.clock.offsetMs = this.#random.between(-3, 3) * yearMs;
        return undefined;
      case "clone":
        return this.#clone(replica);
      case "checkpoint":
        return replica.checkpoint(this.#random.chance(this.#options.plan.prunesRatio));
      case "stateFlip":
        if (replica.damage(this.#random.between(0, 7))) this.checker.isFlipped = true;
        return undefined;
      default:
        return action;
    }
  }

  async #edit(replica: SimReplica): Promise<void> {
    if (!replica.isUp) return;
    this.counts.edits++;
    const burst = this.#random.pick([1, 1, 2, 5]);
    const document = `document ${this.#random.between(1, this.#options.plan.documents)}`;
    for (let edit = 0; edit < burst; edit++) await replica.edit(document);
  }

  /** Nobody changes the disk below a process, one that is only starting included. */
  #crashToo(replica: SimReplica): void {
    const downMs = this.#random.between(100, 3_000);
    if (replica.isUp || replica.isStarting) this.#takeDown(replica, downMs);
  }

  #crash(replica: SimReplica, downMs: number): void {
    if (replica.isUp) this.#takeDown(replica, downMs);
  }

  #takeDown(replica: SimReplica, downMs: number): void {
    this.counts.crashes++;
    replica.crash(this.#random.chance(0.8));
    this.time.after(downMs, () => {
      if (!replica.isUp && !this.#isHealed) this.#restart(replica);
    });
  }

  #restart(replica: SimReplica): void {
    if (replica.start()) return;
    // The owner takes the damaged disk out and lets the others fill an empty one.
    this.checker.diskReplaced(replica);
    replica.disk.restore(new Uint8Array());
    replica.start();
  }

  #partition(replica: SimReplica): void {
    const isOneWay = this.#random.chance(0.5);
    for (const { name } of this.replicas) {
      this.network.block(replica.name, name);
      if (!isOneWay) this.network.block(name, replica.name);
    }
  }

  /** An older state of the disk comes back, as of the last `copy` or of now. */
  #rollback(replica: SimReplica): void {
    const backup = this.#backups.get(replica.name) ?? new Uint8Array();
    this.#crashToo(replica);
    this.checker.diskReplaced(replica);
    replica.disk.restore(backup);
  }

  #flipBit(replica: SimReplica): void {
    this.#crashToo(replica);
    if (replica.disk.flipBit()) this.checker.diskReplaced(replica);
  }

  /** The image of a running machine is started a second time: two writers of one lane. */
  #clone(replica: SimReplica): void {
    const { writer } = replica;
    if (!replica.isUp || writer === undefined) return;
    this.checker.isCloned = true;
    const name = `${replica.name}'${++this.counts.clones}`;
    const disk = this.#diskWith(replica.disk.snapshot());
    // It meets its twin, or nobody could ever know.
    const targets = [...replica.options.targets, replica.name];
    this.#start(new SimReplica(this.#around, { ...replica.options, name, disk, targets }), writer);
  }

  #start(replica: SimReplica, writer?: SimWriter): void {
    this.#replicas.set(replica.name, replica);
    replica.start(writer);
  }

  #add(index: number): void {
    const names = [relayName, "ada", "bo", "cy"];
    const secret = this.#random.bytes(32);
    const { realSignatures } = this.#options;
    // Some know each other too, so that an envelope comes to them on two ways.
    const targets = index === 2 && this.#random.chance(0.5) ? [relayName, "ada"] : [relayName];
    const replica = new SimReplica(this.#around, {
      name: names[index]!,
      isRelay: index === 0,
      disk: this.#diskWith(new Uint8Array()),
      signer: realSignatures ? seededSigner(secret) : hashSigner(secret),
      targets: index === 0 ? [] : targets,
      clockOffsetMs: wrongBy(this.#random.between(-1_000, 1_000), this.#options.plan.clockYearsMax),
    });
    this.#replicas.set(replica.name, replica);
  }

  #diskWith(content: Uint8Array): SimDisk {
    const { failedWriteRatio, syncMsMax } = this.#options.plan;
    return new SimDisk(this.time, this.#random.fork(), { failedWriteRatio, syncMsMax }, content);
  }

  /** Ends all sessions, as a program does when it is told to stop. */
  stop(): void {
    for (const { replication } of this.replicas) {
      replication?.stop(HeddleErrorCode.relayDraining, this.time.nowMs);
    }
  }
}

/**
 * What a wall clock is off by: the drawn milliseconds, and whole years that follow from them. Nothing is
 * drawn for the years, so that a seed is the same run however wrong clocks may be.
 */
function wrongBy(drawnMs: number, yearsMax: number): number {
  const span = 2 * yearsMax + 1;
  const years = (((drawnMs % span) + span) % span) - yearsMax;
  return drawnMs + years * yearMs;
}
