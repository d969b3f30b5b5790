import { documentIdOf, HeddleError, HeddleErrorCode, type Environment } from "@heddle/core";
import type { YDoc } from "@heddle/document";

import type { DriftWatch } from "../drift/drift-watch.ts";
import type { LivePeers, OutboxView } from "../peers/live-peers.ts";
import type { Replica } from "../replica.ts";
import type { SinkHost } from "../sinks/sink-host.ts";
import { connectPresence } from "./connect-presence.ts";
import { LiveDocument } from "./live-document.ts";

/** Sinks that run beside a replica, and what ends them. */
export interface OpenSinks {
  readonly host: SinkHost;
  close(): Promise<void>;
}

/** What a live replica is made of. */
export interface LiveReplicaOptions {
  readonly replica: Replica;
  readonly environment: Environment;
  readonly peers?: LivePeers | undefined;
  readonly drift?: DriftWatch | undefined;
  readonly sinks?: OpenSinks | undefined;
  /** Lets go of what was opened for the replica, after it. */
  readonly release?: (() => Promise<void>) | undefined;
}

/** A replica as an application embeds it: documents that can be edited, and one call that ends it all. */
export class LiveReplica implements AsyncDisposable {
  /** The engine: relays and peers are given it, and show what is written here. */
  readonly replica: Replica;
  /** `undefined` for a replica that was opened without any. */
  readonly peers: LivePeers | undefined;
  /**
   * Finds documents that are not what their log adds up to, or not what peers show, and has them repaired;
   * `undefined` where nobody does.
   */
  readonly drift: DriftWatch | undefined;
  /** Hands changes to the outside; `undefined` for a replica that was opened without any sinks. */
  readonly sinks: SinkHost | undefined;
  readonly #options: LiveReplicaOptions;
  readonly #documents = new Set<LiveDocument>();

  constructor(options: LiveReplicaOptions) {
    this.#options = options;
    this.replica = options.replica;
    this.peers = options.peers;
    this.drift = options.drift;
    this.sinks = options.sinks?.host;
  }

  /** What this device has written and nobody else is known to have; `undefined` without peers. */
  get outbox(): OutboxView | undefined {
    return this.peers?.outbox;
  }

  /**
   * The document of that name, there at once; it shows what is stored a little later. Documents of one
   * name share their log.
   *
   * @throws HeddleError `HEDDLE_FRAME_MALFORMED` when `name` cannot be the name of a document.
   */
  document(name: string, ydoc?: YDoc): LiveDocument {
    const { replica, environment, peers } = this.#options;
    if (name.normalize("NFC") === replica.members?.control.name) {
      const message = "this name is kept for the records of the space";
      throw new HeddleError(HeddleErrorCode.configInvalid, message);
    }
    const document = new LiveDocument({ home: { replica, peers }, environment, name, ydoc });
    this.#documents.add(document);
    const id = documentIdOf(environment.hash, replica.space, document.name);
    if (peers) connectPresence(document, id, peers);
    document.on("status", ({ state }) => {
      if (state === "closed") this.#documents.delete(document);
    });
    return document;
  }

  /**
   * As {@link document}, once it shows what is stored.
   *
   * @throws HeddleError `HEDDLE_FRAME_MALFORMED`, or `HEDDLE_STORAGE_*` when it cannot be read.
   */
  async open(name: string, ydoc?: YDoc): Promise<LiveDocument> {
    const document = this.document(name, ydoc);
    try {
      await document.whenLoaded();
    } catch (error) {
      await document.close().catch(() => {
        // What cannot be loaded cannot be saved either; the first error says why.
      });
      throw error;
    }
    return document;
  }

  /**
   * Saves and closes all documents, then the replica, then what was opened for it.
   *
   * @throws HeddleError when edits could not be saved; everything is closed all the same.
   */
  async close(): Promise<void> {
    // What it has begun may open documents again.
    await this.drift?.stop();
    const closing = await Promise.allSettled([...this.#documents].map((live) => live.close()));
    await this.#options.peers?.stop();
    // They read the store that closes now; what they have not handed over goes out with the next start.
    await this.#options.sinks?.close();
    await this.replica.close();
    await this.#options.release?.();
    const failed = closing.find(({ status }) => status === "rejected");
    if (failed) throw (failed as PromiseRejectedResult).reason;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
