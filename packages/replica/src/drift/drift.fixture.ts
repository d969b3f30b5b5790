import { MemoryDisk, MemoryLogStore } from "@heddle/core";
import { yjsEngine } from "@heddle/document";
import type { AuditEntry } from "@heddle/reconcile";
import { PeerRole } from "@heddle/sync";
import { afterEach } from "vitest";

import { EngineFolder } from "../engine-folder.ts";
import { LiveDocument } from "../live/live-document.ts";
import { nodeVerifier } from "../node-environment.ts";
import { PairedConnection } from "@heddle/testkit";
import { PeerHost } from "../peers/peer-host.ts";
import { environment, signer } from "../replica.fixture.ts";
import { Replica } from "../replica.ts";
import type { DriftReport } from "./drift-report.ts";
import { DriftWatch } from "./drift-watch.ts";

/** Everything sooner than in life: a test waits for what happens, and not for long. */
const limits = {
  digestRestMs: 40,
  digestEveryMs: 80,
  retryMsMin: 20,
  retryMsMax: 200,
} as const;
export const soon = {
  auditIntervalMs: 300,
  firstAuditMs: 300,
  waitMs: 100,
  compareMs: 3_000,
  roundsMax: 12,
  refetchMs: 3_000,
  restMsMin: 50,
  restMsMax: 100,
} as const;

/** A replica in memory with a wire, whose documents are watched. */
export class WatchedReplica {
  readonly replica: Replica;
  readonly store: MemoryLogStore;
  readonly drift: DriftWatch;
  readonly host: PeerHost;
  readonly reports: DriftReport[] = [];

  private constructor(parts: Pick<WatchedReplica, "replica" | "store" | "drift" | "host">) {
    this.replica = parts.replica;
    this.store = parts.store;
    this.drift = parts.drift;
    this.host = parts.host;
    this.drift.on("drift", (report) => this.reports.push(report));
  }

  static async open(
    times: Partial<typeof soon> | object = {},
    disk = new MemoryDisk(),
  ): Promise<WatchedReplica> {
    const store = await MemoryLogStore.open(disk, environment.random);
    const folder = new EngineFolder(yjsEngine, environment);
    const own = { store, environment, signer, folder, engine: "test" };
    const replica = await Replica.open({ ...own, idleMs: 10_000 });
    const drift = new DriftWatch({ ...own, replica, times: { ...soon, ...times } });
    const hosting = { ...own, replica, verifier: nodeVerifier, drift, limits };
    const role = PeerRole.replica;
    const host = await PeerHost.open({
      ...hosting,
      role,
      adopt: true,
      follow: true,
      hasOutbox: false,
    });
    return new WatchedReplica({ replica, store, drift, host });
  }

  /** Speaks with `other`, and again each time that a connection ends. */
  meet(other: WatchedReplica): void {
    const join = (): void => {
      const [here, there] = PairedConnection.pair();
      this.host.connect(here, "initiator", { onEnded: () => setTimeout(join, 20) });
      other.host.connect(there, "acceptor");
    };
    join();
  }

  live(name = "notes"): LiveDocument {
    return new LiveDocument({ home: { replica: this.replica }, environment, name });
  }

  async journal(): Promise<AuditEntry[]> {
    const entries: AuditEntry[] = [];
    for await (const { entry } of this.drift.journal()) if (entry) entries.push(entry);
    return entries;
  }

  async close(): Promise<void> {
    this.host.stop();
    await this.drift.stop();
    await this.replica.close();
  }
}

export async function until(
  condition: () => boolean | Promise<boolean>,
  what: string,
): Promise<void> {
  const endMs = performance.now() + 60_000;
  while (!(await condition())) {
    if (performance.now() > endMs) throw new Error(`waited in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Opens replicas; those of a test are closed after it. */
export function watchedReplicas(): typeof WatchedReplica.open {
  const opened: WatchedReplica[] = [];
  afterEach(async () => {
    for (const replica of opened.splice(0)) await replica.close();
  });
  return async (times, disk) => {
    const replica = await WatchedReplica.open(times, disk);
    opened.push(replica);
    return replica;
  };
}
