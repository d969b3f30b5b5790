import { FixtureLane } from "./environment.fixture.ts";
import { decodeFrame, type Frame } from "./frame.ts";
import { MemoryHost } from "./memory-host.fixture.ts";
import type { ReplicationOptions } from "./sync-context.ts";

interface Wire {
  readonly ends: readonly [MemoryHost, MemoryHost];
}

/** Hosts and the connections among them; what is sent arrives in the next round, in order. */
export class MemoryMesh {
  readonly hosts: MemoryHost[] = [];
  readonly lanes = new Map<MemoryHost, FixtureLane>();
  /** Whether a frame arrives. */
  passes: (frame: Frame, from: MemoryHost, to: MemoryHost) => boolean = () => true;
  readonly #wires = new Map<number, Wire>();
  #keys = 0;

  /** Another host, and a lane of its device. */
  async add(changes: Partial<ReplicationOptions> = {}): Promise<MemoryHost> {
    const host = new MemoryHost(this.hosts.length + 1, changes);
    host.nowMs = this.hosts[0]?.nowMs ?? 0;
    this.hosts.push(host);
    this.lanes.set(host, await FixtureLane.open(host.seed));
    return host;
  }

  connect(a: MemoryHost, b: MemoryHost): number {
    const key = ++this.#keys;
    this.#wires.set(key, { ends: [a, b] });
    a.replication.connect(key, "initiator", a.nowMs);
    b.replication.connect(key, "acceptor", b.nowMs);
    return key;
  }

  /** Everybody with everybody. */
  connectAll(): void {
    for (const [index, a] of this.hosts.entries()) {
      for (const b of this.hosts.slice(index + 1)) this.connect(a, b);
    }
  }

  /** Both ends hear of it. */
  disconnect(key: number): void {
    for (const host of this.#wires.get(key)!.ends) host.replication.disconnected(key, host.nowMs);
    this.#wires.delete(key);
  }

  /** One of the hosts types. */
  async write(host: MemoryHost, count = 1): Promise<void> {
    await host.write(this.lanes.get(host)!, count);
  }

  /** Until nothing is on its way. */
  async settle(): Promise<void> {
    for (let round = 0; round < 2_000; round++) {
      for (const host of this.hosts) await host.drain();
      const sent = this.hosts.flatMap((from) => {
        return from.sent.splice(0).map(({ peer, bytes }) => ({ peer, bytes, from }));
      });
      if (sent.length === 0) return;
      for (const { peer, bytes, from } of sent) {
        const ends = this.#wires.get(peer)?.ends ?? [];
        const to = ends.find((end) => end !== from);
        if (to && this.passes(decodeFrame(bytes)!, from, to)) {
          to.replication.receive(peer, bytes, to.nowMs);
        }
      }
    }
    throw new Error("the wires do not become quiet");
  }

  /** Time passes for all, in steps. */
  async pass(ms: number, stepMs = 200): Promise<void> {
    for (let passed = 0; passed < ms; passed += stepMs) {
      for (const host of this.hosts) {
        host.nowMs += stepMs;
        host.replication.tick(host.nowMs);
      }
      await this.settle();
    }
  }

  sum(counter: keyof MemoryHost["replication"]["counters"]): number {
    return this.hosts.reduce((sum, { replication }) => sum + replication.counters[counter], 0);
  }
}
