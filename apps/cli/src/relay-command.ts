import path from "node:path";

import type { Environment } from "@heddle/core";
import { Relay } from "@heddle/relay";
import { Replica } from "@heddle/replica";
import { nodeEnvironment, openDeviceKey } from "@heddle/replica/node";
import { openLevelStore } from "@heddle/storage-level";

import type { CommandIo } from "./command-io.ts";
import { jsonLogger } from "./logger.ts";
import { version } from "./version.ts";

export interface RelayCommandOptions {
  readonly host: string;
  readonly port: number;
  readonly data: string;
  readonly app?: string;
  readonly token?: string;
  readonly allowOrigin?: string[];
  readonly open?: boolean;
  readonly json?: boolean;
  readonly verbose?: boolean;
}

/** Runs a relay until `stop` fires, then drains it. Resolves with the exit status. */
export async function relayCommand(
  options: RelayCommandOptions,
  io: CommandIo,
  stop: AbortSignal,
): Promise<number> {
  const environment = nodeEnvironment(jsonLogger(io, options.verbose ?? false));
  const data = path.resolve(options.data);
  const store = await openLevelStore(data, { environment });
  try {
    const signer = await openDeviceKey(path.join(data, "device-key.pem"));
    const engine = `heddle/${version}`;
    const replica = await Replica.open({ store, environment, signer, engine });
    const relay = await startRelay(options, replica, environment);
    announce(options, io, relay, replica);
    await aborted(stop);
    if (!options.json) io.err("stopping: waiting for the disk, telling clients to come back");
    await relay.drain();
  } finally {
    await store.close();
  }
  if (options.json) io.out(JSON.stringify({ event: "relay.stopped" }));
  return 0;
}

function startRelay(
  options: RelayCommandOptions,
  replica: Replica,
  environment: Environment,
): Promise<Relay> {
  return Relay.start({
    replica,
    environment,
    host: options.host,
    port: options.port,
    appDirectory: options.app && path.resolve(options.app),
    access: {
      token: options.token,
      allowOrigins: options.allowOrigin ?? [],
      open: options.open ?? false,
    },
  });
}

function announce(
  options: RelayCommandOptions,
  io: CommandIo,
  relay: Relay,
  replica: Replica,
): void {
  const { url } = relay;
  const { documentsRead, documentsRecovered, documentsDamaged, tookMs } = replica.recovery;
  if (options.json) {
    io.out(JSON.stringify({ event: "relay.listening", url, recovery: replica.recovery }));
    return;
  }
  const webSocketUrl = url.replace("http", "ws");
  io.out(`heddle ${version} keeps its data in ${path.resolve(options.data)}`);
  if (documentsRecovered + documentsDamaged.length > 0) {
    io.out(
      `  recovered ${documentsRecovered} of ${documentsRead} documents in ${Math.round(tookMs)} ms` +
        (documentsDamaged.length > 0 ? `; ${documentsDamaged.length} are damaged` : ""),
    );
  }
  if (options.app) io.out(`  open in two windows   ${url}`);
  io.out(`  y-websocket clients   new WebsocketProvider("${webSocketUrl}", "<document name>", ydoc)`);
  io.out("  stop with Ctrl-C");
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}

