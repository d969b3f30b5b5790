import type { MemoryHost } from "./memory-host.fixture.ts";

/** Both ends of one connection; a frame for which `passes` is false is lost. */
export async function exchange(
  a: MemoryHost,
  b: MemoryHost,
  passes: (bytes: Uint8Array, from: MemoryHost) => boolean = () => true,
): Promise<void> {
  for (let round = 0; round < 400; round++) {
    await a.drain();
    await b.drain();
    const [fromA, fromB] = [a.sent.splice(0), b.sent.splice(0)];
    if (fromA.length + fromB.length === 0) return;
    for (const { peer, bytes } of fromA) {
      if (passes(bytes, a)) b.replication.receive(peer, bytes, b.nowMs);
    }
    for (const { peer, bytes } of fromB) {
      if (passes(bytes, b)) a.replication.receive(peer, bytes, a.nowMs);
    }
  }
  throw new Error("the wire does not become quiet");
}

/** Opens connection `key` between two hosts. */
export function connect(a: MemoryHost, b: MemoryHost, key: number): void {
  a.replication.connect(key, "initiator", a.nowMs);
  b.replication.connect(key, "acceptor", b.nowMs);
}

/** The connection is gone, for both, and what is on its way with it. */
export function disconnect(a: MemoryHost, b: MemoryHost, key: number): void {
  for (const host of [a, b]) {
    host.sent.splice(0);
    host.replication.disconnected(key, host.nowMs);
  }
}

/** Lets time pass at both, in steps of `stepMs`, with everything exchanged. */
export async function pass(
  a: MemoryHost,
  b: MemoryHost,
  ms: number,
  passes?: (bytes: Uint8Array, from: MemoryHost) => boolean,
  stepMs = 500,
): Promise<void> {
  for (let passed = 0; passed < ms; passed += stepMs) {
    for (const host of [a, b]) {
      host.nowMs += stepMs;
      host.replication.tick(host.nowMs);
    }
    await exchange(a, b, passes);
  }
}
