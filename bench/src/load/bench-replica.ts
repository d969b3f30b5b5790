import { MemoryDisk, MemoryLogStore, type Environment } from "@heddle/core";
import { LiveReplica, PeerHost, Replica } from "@heddle/replica";
import { ephemeralDeviceKey, nodeEnvironment, nodeVerifier } from "@heddle/replica/node";
import { PeerRole } from "@heddle/sync";
import type { VirtualTime } from "./virtual-time.ts";
import type { WorkInFlight } from "./work-in-flight.ts";

const ignore = (): void => {};
const silent = { debug: ignore, info: ignore, warn: ignore, error: ignore };

export interface BenchReplica {
  readonly live: LiveReplica;
  readonly host: PeerHost;
}

/** A replica as an application embeds it, with a store in memory, a device key of its own, in virtual time. */
export async function openBenchReplica(
  time: VirtualTime,
  work: WorkInFlight,
): Promise<BenchReplica> {
  const environment = environmentOf(time, work);
  const store = await MemoryLogStore.open(new MemoryDisk(), environment.random);
  const parts = { store, environment, signer: ephemeralDeviceKey(), engine: "bench" };
  const replica = await Replica.open(parts);
  const verifier: typeof nodeVerifier = {
    verify: (...given) => work.during(nodeVerifier.verify(...given)),
  };
  const settings = { role: PeerRole.replica, adopt: true, follow: true, hasOutbox: true, verifier };
  const host = await PeerHost.open({ ...parts, ...settings, replica });
  return { live: new LiveReplica({ replica, environment }), host };
}

function environmentOf(time: VirtualTime, work: WorkInFlight): Environment {
  const { hash, random, compression } = nodeEnvironment(silent);
  return {
    clock: time,
    scheduler: time,
    hash,
    random,
    logger: silent,
    compression: {
      deflateRaw: (bytes) => work.during(compression.deflateRaw(bytes)),
      inflateRaw: (bytes, lengthMax) => work.during(compression.inflateRaw(bytes, lengthMax)),
    },
  };
}
