import type { Logger } from "@heddle/core";
import type { Awareness } from "y-protocols/awareness";

import type { ReplicaStore } from "../platform/platform.ts";
import type { ClosedEvent } from "./connection-events.ts";
import type { HeddleProvider } from "./heddle-provider.ts";

export type ShouldReconnect = (event: ClosedEvent, provider: HeddleProvider) => boolean;

/** Those of y-websocket 3.1, and ours. */
export interface HeddleProviderOptions {
  /** Default true. */
  readonly connect?: boolean | undefined;
  /** Of the document; one is made when there is none. */
  readonly awareness?: Awareness | undefined;
  /** Parameters of the address; they may be changed, and hold from the next dial on. */
  readonly params?: Record<string, string> | undefined;
  /** Subprotocols to offer behind heddle's own. */
  readonly protocols?: string[] | undefined;
  /** In place of the platform's. Node before 22 has none: give the one of `ws`. */
  readonly WebSocketPolyfill?: unknown;
  /** For a stock server only: a relay is compared with all the time. */
  readonly resyncInterval?: number | undefined;
  /** For a stock server only: the way to a relay has bounds of its own. */
  readonly maxBackoffTime?: number | undefined;
  /** Without a meaning: tabs of one profile share a store, and meet there. */
  readonly disableBc?: boolean | undefined;
  /** Whether to try again after the server closed. Default: unless the code is one of 4400 to 4499. */
  readonly shouldReconnect?: ShouldReconnect | undefined;
  /** Where documents are kept. Default: IndexedDB in a browser, and in Node only memory. */
  readonly store?: ReplicaStore;
  /**
   * The genesis of the space that the documents are of, and the relay with them: then only members take part,
   * each with its role. Default: the open space. A store is of one space; the default store is of this one.
   */
  readonly genesis?: Uint8Array | undefined;
  /** Asks the browser not to clear what is kept when the disk gets full. Default true. */
  readonly persist?: boolean;
  /** Asked before each dial. */
  readonly getToken?: () => string | Promise<string>;
  /** `y-websocket` for a server that is known to speak nothing else. Default: found out. */
  readonly wire?: "auto" | "y-websocket";
  /** Default: errors go to the console. */
  readonly logger?: Logger;
}
