import type { DialerStateName } from "@heddle/replica";

import { ClosedEvent } from "./connection-events.ts";

/** Where the engine's connection stands; `code` where it was refused. */
export interface EngineConnection {
  readonly name: DialerStateName;
  readonly code?: number | undefined;
}

export interface ConnectionFaceOptions {
  /** Whether the application wants a connection: its `shouldConnect`, which it may set itself. */
  readonly isWanted: () => boolean;
  /** Whether to try again after the server closed. */
  readonly shouldReconnect: (event: ClosedEvent) => boolean;
  readonly onStatus: (status: "connecting" | "connected" | "disconnected") => void;
  /** `null` when this side closed. */
  readonly onClosed: (event: ClosedEvent | null) => void;
  readonly onSynced: (isSynced: boolean) => void;
  /** No other attempt is to be made. */
  readonly onGivenUp: (event: ClosedEvent) => void;
  /** The server has refused for good, and the application wants another attempt all the same. */
  readonly onRefusedYetWanted: () => void;
}

/**
 * The fields and events with which y-websocket's provider shows its own WebSocket, over a connection that
 * documents share and an engine opens:
 *
 *   idle ──connecting──► connecting ──connected──► connected ──synced──► synced
 *     ▲                      │                         │                    │
 *     └── connection-close ◄─┴─────────────────────────┴────────────────────┘
 *
 * On the way back from connected the order is `connection-close`, `synced` false, `disconnected`; an attempt
 * that failed tells of its close only.
 */
export class ConnectionFace {
  readonly #options: ConnectionFaceOptions;
  #state: "idle" | "connecting" | "connected" = "idle";
  #isSynced = false;
  /** What the engine said last; what was told of its end before it said so is not told again. */
  #seen: DialerStateName | undefined;
  /** The present connection is ending because of us: it is not ours any more. */
  #isLeaving = false;
  /** The application was asked about the close that there was last. */
  #wasAsked = false;
  /** Since the last exchange that was done. */
  unsuccessful = 0;

  constructor(options: ConnectionFaceOptions) {
    this.#options = options;
    // Nobody listens yet to be told.
    if (options.isWanted()) this.#state = "connecting";
  }

  get isConnecting(): boolean {
    return this.#state === "connecting";
  }

  get isConnected(): boolean {
    return this.#state === "connected";
  }

  get isSynced(): boolean {
    return this.#isSynced;
  }

  /** The application wants a connection. False when there is one, or an attempt. */
  connect(): boolean {
    if (this.#state !== "idle") return false;
    this.#begin();
    // Other documents have a connection; that it is this one's, too, is told later as if it had been opened.
    queueMicrotask(() => {
      if (this.#seen === "live" && !this.#isLeaving && this.#options.isWanted()) this.#open();
    });
    return true;
  }

  /** The application wants none. */
  disconnect(): void {
    const isShared = ["dialing", "greeting", "live"].includes(this.#seen ?? "");
    if (this.#state !== "idle") this.#isLeaving = isShared;
    this.#end(null);
  }

  /** The engine's connection has ended, or was not to be had. */
  closed(event: ClosedEvent | null): void {
    if (!this.#isLeaving) this.#end(event);
  }

  synced(): void {
    if (!this.isConnected) return;
    this.unsuccessful = 0;
    this.#setSynced(true);
  }

  /** Where the engine's connection stands now. */
  follow({ name, code = 0 }: EngineConnection): void {
    if (name === this.#seen) return;
    this.#seen = name;
    const isOld = this.#isLeaving;
    this.#isLeaving = false;
    const isWanted = this.#options.isWanted();
    switch (name) {
      case "dialing":
      case "greeting":
        if (isWanted) this.#begin();
        break;
      case "live":
        if (isWanted) this.#begin();
        if (isWanted) this.#open();
        break;
      case "refused":
        if (isWanted && !isOld) this.#refused(code);
        break;
      case "idle":
        // Another tab has the connection, and was not heard yet.
        if (this.isConnected) this.#end(lost());
        break;
      default:
        if (!isOld) this.#end(lost());
    }
  }

  #begin(): void {
    if (this.#state !== "idle") return;
    this.#state = "connecting";
    this.#wasAsked = false;
    this.#options.onStatus("connecting");
  }

  #open(): void {
    if (this.#state !== "connecting") return;
    this.#state = "connected";
    this.#options.onStatus("connected");
  }

  #refused(code: number): void {
    const event = new ClosedEvent(code, "", true);
    this.#end(event);
    if (!this.#options.isWanted()) return;
    const isWorthIt = this.#wasAsked || this.#options.shouldReconnect(event);
    if (isWorthIt) this.#options.onRefusedYetWanted();
    else this.#options.onGivenUp(event);
  }

  #end(event: ClosedEvent | null): void {
    if (this.#state === "idle") return;
    // With the fields as they were, as y-websocket does.
    this.#options.onClosed(event);
    const wasConnected = this.isConnected;
    this.#state = "idle";
    this.unsuccessful++;
    if (wasConnected) {
      this.#setSynced(false);
      this.#options.onStatus("disconnected");
    }
    if (event === null) return;
    this.#wasAsked = true;
    if (!this.#options.shouldReconnect(event)) this.#options.onGivenUp(event);
  }

  #setSynced(isSynced: boolean): void {
    if (this.#isSynced === isSynced) return;
    this.#isSynced = isSynced;
    this.#options.onSynced(isSynced);
  }
}

/** As a browser says it of a connection that ended without a word. */
function lost(): ClosedEvent {
  return new ClosedEvent(1006, "", false);
}
