import { MemoryDisk, MemoryLogStore, type LogStore, type Logger } from "@heddle/core";
import { Relay, type RelayOptions } from "@heddle/relay";
import { Replica, type ReplicaOptions, type ReplicaTelemetry } from "@heddle/replica";
import { ephemeralDeviceKey, nodeEnvironment } from "@heddle/replica/node";

const silent: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

export const environment = nodeEnvironment(silent);

export interface RelayUnderTest extends AsyncDisposable {
  readonly relay: Relay;
  readonly replica: Replica;
  /** `ws://127.0.0.1:port`, as the provider wants it. */
  readonly url: string;
}

export interface RelayUnderTestOptions extends Partial<
  Omit<RelayOptions, "replica" | "environment">
> {
  readonly telemetry?: ReplicaTelemetry | undefined;
  /** For the replica behind it. */
  readonly replica?: Partial<ReplicaOptions>;
}

/** A relay in this process on a free port. The store is closed with it. */
export async function startRelay(
  store: LogStore,
  { telemetry, replica: settings, ...options }: RelayUnderTestOptions = {},
): Promise<RelayUnderTest> {
  const signer = ephemeralDeviceKey();
  const running = { store, environment, signer, engine: "test", idleMs: 50, telemetry };
  const replica = await Replica.open({ ...running, ...settings });
  const relay = await Relay.start({ replica, environment, host: "127.0.0.1", port: 0, ...options });
  return {
    relay,
    replica,
    url: relay.url.replace("http", "ws"),
    async [Symbol.asyncDispose]() {
      await relay.drain();
      await store.close();
    },
  };
}

export function memoryStore(disk = new MemoryDisk()): Promise<MemoryLogStore> {
  return MemoryLogStore.open(disk, environment.random);
}
