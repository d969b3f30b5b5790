import type { LogStore } from "@heddle/core";
import type { ObservedRelay } from "@heddle/relay";
import { AdminServer, type AdminOptions } from "@heddle/relay/admin";

import {
  environment,
  startRelay,
  type RelayUnderTest,
  type RelayUnderTestOptions,
} from "./relay-under-test.ts";

export interface WatchedRelay extends RelayUnderTest {
  readonly admin: AdminServer;
}

/** A relay with its admin port, wired as the command line does it. The store is closed with it. */
export async function startWatchedRelay(
  store: LogStore,
  options: RelayUnderTestOptions & {
    readonly admin?: Partial<AdminOptions>;
    /** What is derived from documents, and what is known of it. */
    readonly derived?: Pick<ObservedRelay, "reconciliation" | "projections" | "sinks">;
  } = {},
): Promise<WatchedRelay> {
  const { admin: adminOptions, derived, ...relayOptions } = options;
  const admin = await startAdmin(adminOptions);
  const relay = await startRelay(store, { ...relayOptions, telemetry: admin.telemetry });
  admin.watch({ relay: relay.relay, replica: relay.replica, store, ...derived });
  return {
    ...relay,
    admin,
    async [Symbol.asyncDispose]() {
      await relay[Symbol.asyncDispose]();
      await admin.close();
    },
  };
}

export function startAdmin(options: Partial<AdminOptions> = {}): Promise<AdminServer> {
  return AdminServer.start({ environment, host: "127.0.0.1", port: 0, ...options });
}

export interface Answer {
  readonly status: number;
  readonly body: unknown;
}

export async function readiness({ url }: AdminServer, headers = {}): Promise<Answer> {
  const response = await fetch(`${url}/readyz`, { headers });
  return { status: response.status, body: await response.json() };
}

/** Every sample of `/metrics`: `name{label="value"}` to its number. */
export async function scrape({ url }: AdminServer): Promise<Map<string, number>> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const samples = new Map<string, number>();
  for (const line of text.split("\n")) {
    if (line === "" || line.startsWith("#")) continue;
    const end = line.lastIndexOf(" ");
    samples.set(line.slice(0, end), Number(line.slice(end + 1)));
  }
  return samples;
}
