import { parseDocumentName, type Logger } from "@heddle/core";
import { PeerHost, Replica } from "@heddle/replica";
import { ephemeralDeviceKey, nodeEnvironment, nodeVerifier } from "@heddle/replica/node";
import { openLevelStore } from "@heddle/storage-level";
import { PeerRole, type SyncEvent } from "@heddle/sync";
import * as Y from "yjs";

import { DelayedConnection } from "./delayed-connection.ts";

const ignore = (): void => undefined;
const silent: Logger = { debug: ignore, info: ignore, warn: ignore, error: ignore };
export const siteEnvironment = nodeEnvironment(silent);
const environment = siteEnvironment;

/** A replica with a store on disk and a device key of its own, which takes everything that peers have. */
export class Site implements AsyncDisposable {
  readonly replica: Replica;
  readonly peers: PeerHost;
  readonly countCursors: () => Promise<number>;
  readonly #close: () => Promise<void>;

  private constructor(
    replica: Replica,
    peers: PeerHost,
    countCursors: () => Promise<number>,
    close: () => Promise<void>,
  ) {
    this.replica = replica;
    this.peers = peers;
    this.countCursors = countCursors;
    this.#close = close;
  }

  static async open(folder: string, onEvent?: (event: SyncEvent) => void): Promise<Site> {
    const store = await openLevelStore(folder, { environment });
    const parts = { store, environment, signer: ephemeralDeviceKey(), engine: "bench" };
    const replica = await Replica.open({ ...parts, idleMs: 50 });
    const wishes = { adopt: true, follow: true, hasOutbox: false, verifier: nodeVerifier };
    const peers = await PeerHost.open({
      ...parts,
      ...wishes,
      role: PeerRole.relay,
      replica,
      ...(onEvent && { onEvent }),
    });
    const countCursors = async () => (await store.readCursors()).length;
    return new Site(replica, peers, countCursors, async () => {
      peers.stop();
      await replica.close();
      await store.close();
    });
  }

  async write(name: string): Promise<void> {
    const document = await this.replica.acquire(parseDocumentName(name));
    const ydoc = new Y.Doc();
    ydoc.getText("text").insert(0, "typed");
    document.submit(Y.encodeStateAsUpdate(ydoc), {});
    await document.whenSettled();
    this.replica.release(document);
  }

  get stored(): number {
    return this.peers.counters.envelopesStored;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#close();
  }
}

/** Connects two of them; frames take a while each way, and are shown to `onFrame`. */
export function meet(
  a: Site,
  b: Site,
  delayMs: number,
  onFrame?: (bytes: Uint8Array) => void,
): void {
  const [ofA, ofB] = DelayedConnection.pair(delayMs, onFrame);
  a.peers.connect(ofA, "acceptor");
  b.peers.connect(ofB, "initiator");
}

export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 2));
}
