import { randomBytes } from "node:crypto";
import path from "node:path";

import { HeddleError, HeddleErrorCode } from "@heddle/core";
import { lan, nameOf, shortFingerprint, type Lan } from "@heddle/lan";
import { pageDoor, type PageDoor } from "@heddle/relay";
import type { LiveReplica } from "@heddle/replica";
import { nodeEnvironment, openReplica } from "@heddle/replica/node";
import { openLevelStore, type LevelLogStore } from "@heddle/storage-level";

import type { CommandIo } from "../command-io.ts";
import { openLogger } from "../logger.ts";
import { version } from "../version.ts";
import { openPageToken, pageTokenFile } from "./page-token.ts";
import { PeerProgress } from "./peer-progress.ts";
import type { PeerPicture } from "./peer-picture.ts";
import { PeerScreen } from "./peer-screen.ts";

export interface PeerOptions {
  readonly data: string;
  readonly name?: string;
  readonly port: number;
  readonly address?: string[];
  readonly discovery: boolean;
  /** Port for browser pages of this machine; without it none are let in. */
  readonly pages?: number;
  readonly allowOrigin?: string[];
  /** Default: one that is kept in the data folder. */
  readonly pageToken?: string;
  /** Free bytes below which nothing new is accepted; 0 for no such bound. */
  readonly diskLow: number;
  readonly json?: boolean;
}

const lookEveryMs = 500;

/** A replica without an application, until `stop` fires: brings over everything that paired devices have. */
export async function peerCommand(
  options: PeerOptions,
  io: CommandIo,
  stop: AbortSignal,
): Promise<number> {
  const { data, name, port, address: addresses = [], discovery, diskLow, json = false } = options;
  const directory = path.resolve(data);
  const run = randomBytes(4).toString("hex");
  // A person who watches the table is told there; lines in between would tear it.
  const level = io.isTTY && !json ? "error" : "warn";
  const logger = openLogger(io, { level, run });
  const neighbours = lan({
    port,
    addresses,
    ...(name !== undefined && { name }),
    ...(!discovery && { discovery: false }),
  });
  const pages = await pagesOf(directory, options);
  const space = diskLow > 0 ? { lowBytes: diskLow, reserveBytes: diskLow / 4 } : undefined;
  let store: LevelLogStore | undefined;
  const replica = await openReplica({
    store: {
      directory,
      async open(environment) {
        store = await openLevelStore(directory, { environment, ...(space && { space }) });
        await store.openingTold();
        return store;
      },
    },
    peers: [neighbours, ...(pages ? [pages] : [])],
    follow: true,
    engine: `heddle/${version}`,
    logger,
  });
  const progress = new PeerProgress(replica.peers!, nodeEnvironment(logger).clock);
  const screen = new PeerScreen(io, json);
  try {
    while (!stop.aborted) {
      const sources = { neighbours, pages, progress, store: store! };
      screen.show(await pictureOf(options, replica, sources));
      await pause(lookEveryMs, stop);
    }
  } finally {
    await replica.close();
  }
  screen.end();
  return 0;
}

/** Undefined where no pages are wanted. */
async function pagesOf(
  directory: string,
  { pages: port, allowOrigin: allowOrigins = [], pageToken }: PeerOptions,
): Promise<PageDoor | undefined> {
  if (port !== undefined) {
    const token = pageToken ?? (await openPageToken(directory));
    return pageDoor({ port, allowOrigins, token });
  }
  if (allowOrigins.length === 0) return undefined;
  const message = "--allow-origin is for pages: give them a port with --pages";
  throw new HeddleError(HeddleErrorCode.configInvalid, message);
}

interface PictureSources {
  readonly neighbours: Lan;
  readonly pages: PageDoor | undefined;
  readonly progress: PeerProgress;
  readonly store: LevelLogStore;
}

async function pictureOf(
  { data, pageToken }: PeerOptions,
  replica: LiveReplica,
  { neighbours, pages, progress, store }: PictureSources,
): Promise<PeerPicture> {
  const { identity, port, peers, trouble, counters } = neighbours;
  const { outbox } = replica;
  const directory = path.resolve(data);
  const tokenFile = pageToken === undefined ? path.join(directory, pageTokenFile) : undefined;
  return {
    directory,
    fingerprint: shortFingerprint(identity!.fingerprint),
    port: port!,
    peers: peers.map(({ device, state, addresses, claims }) => {
      return { device, state, addresses, claims, exchange: progress.of(nameOf(device)) };
    }),
    documents: replica.replica.state.name === "ready" ? await store.countDocuments() : undefined,
    outbox: { envelopes: outbox?.envelopes ?? 0, bytes: outbox?.bytes ?? 0 },
    trouble: trouble && `${trouble.message} (${trouble.code})`,
    pages: pages && { ...pages.status, tokenFile },
    counters,
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
