import { randomBytes } from "node:crypto";
import path from "node:path";

import { lan, shortFingerprint, type Lan } from "@heddle/lan";
import type { LiveReplica } from "@heddle/replica";
import { openReplica } from "@heddle/replica/node";
import { openLevelStore, type LevelLogStore } from "@heddle/storage-level";

import type { CommandIo } from "../command-io.ts";
import { openLogger } from "../logger.ts";
import { version } from "../version.ts";
import { PeerScreen, type PeerPicture } from "./peer-screen.ts";

export interface PeerOptions {
  readonly data: string;
  readonly name?: string;
  readonly port: number;
  readonly address?: string[];
  readonly discovery: boolean;
  readonly json?: boolean;
}

const lookEveryMs = 500;

/** A replica without an application, until `stop` fires: brings over everything that paired devices have. */
export async function peerCommand(
  options: PeerOptions,
  io: CommandIo,
  stop: AbortSignal,
): Promise<number> {
  const { data, name, port, address: addresses = [], discovery, json = false } = options;
  const directory = path.resolve(data);
  const run = randomBytes(4).toString("hex");
  // A person who watches the table is told there; lines in between would tear it.
  const level = io.isTTY && !json ? "error" : "warn";
  const neighbours = lan({
    port,
    addresses,
    ...(name !== undefined && { name }),
    ...(!discovery && { discovery: false }),
  });
  let store: LevelLogStore | undefined;
  const replica = await openReplica({
    store: {
      directory,
      async open(environment) {
        store = await openLevelStore(directory, { environment });
        await store.openingTold();
        return store;
      },
    },
    peers: [neighbours],
    follow: true,
    engine: `heddle/${version}`,
    logger: openLogger(io, { level, run }),
  });
  const screen = new PeerScreen(io, json);
  try {
    while (!stop.aborted) {
      screen.show(await pictureOf(directory, replica, { neighbours, store: store! }));
      await pause(lookEveryMs, stop);
    }
  } finally {
    await replica.close();
  }
  if (json) io.out(JSON.stringify({ event: "peer.stopped" }));
  return 0;
}

async function pictureOf(
  directory: string,
  replica: LiveReplica,
  { neighbours, store }: { readonly neighbours: Lan; readonly store: LevelLogStore },
): Promise<PeerPicture> {
  const { identity, port, peers, trouble } = neighbours;
  const { outbox } = replica;
  return {
    directory,
    fingerprint: shortFingerprint(identity!.fingerprint),
    port: port!,
    peers,
    documents: replica.replica.state.name === "ready" ? await store.countDocuments() : undefined,
    outbox: { envelopes: outbox?.envelopes ?? 0, bytes: outbox?.bytes ?? 0 },
    trouble: trouble && `${trouble.message} (${trouble.code})`,
  };
}

function pause(ms: number, stop: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      stop.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    stop.addEventListener("abort", end, { once: true });
  });
}
