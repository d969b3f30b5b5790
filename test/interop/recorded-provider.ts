import { HeddleProvider } from "@heddle/client";
import { WebSocket } from "ws";
import { WebsocketProvider } from "y-websocket";
import * as Y from "yjs";

/** Of both classes: what an application uses, from its name to its argument types. */
type Shared =
  | "serverUrl"
  | "roomname"
  | "doc"
  | "url"
  | "awareness"
  | "params"
  | "protocols"
  | "maxBackoffTime"
  | "shouldConnect"
  | "wsconnected"
  | "wsconnecting"
  | "wsUnsuccessfulReconnects"
  | "wsLastMessageReceived"
  | "synced"
  | "bcChannel"
  | "bcconnected"
  | "disableBc"
  | "messageHandlers"
  | "connect"
  | "disconnect"
  | "destroy";

type StockOptions = NonNullable<ConstructorParameters<typeof WebsocketProvider>[3]>;

/** What a scenario does with either class. `ws` of y-websocket is the browser's, ours what both have. */
export type DropIn = Pick<WebsocketProvider, Shared> & {
  readonly ws: { readonly readyState: number } | null;
  on(name: string, listener: (...about: never[]) => void): unknown;
  off(name: string, listener: (...about: never[]) => void): unknown;
};

export interface DropInOptions extends Omit<StockOptions, "shouldReconnect"> {
  readonly shouldReconnect?: (event: { readonly code: number }, provider: unknown) => boolean;
}

export const kinds = {
  "y-websocket": (url: string, room: string, doc: Y.Doc, options: DropInOptions): DropIn =>
    new WebsocketProvider(url, room, doc, options) as unknown as DropIn,
  // The same types, so that a difference in what they share does not compile.
  heddle: (url: string, room: string, doc: Y.Doc, options: DropInOptions): DropIn =>
    new HeddleProvider(url, room, doc, options) satisfies Pick<WebsocketProvider, Shared> & {
      readonly ws: unknown;
    } as unknown as DropIn,
};
export type Kind = keyof typeof kinds;

/** An event with what it brought, and the fields as a listener sees them. */
export type Recorded = readonly [name: string, about: unknown, fields: string];

const events = ["status", "synced", "sync", "connection-close", "connection-error", "closed"];

/** A provider of either class with all that it said, since its construction. */
export class RecordedProvider {
  readonly doc = new Y.Doc();
  readonly provider: DropIn;
  readonly all: Recorded[] = [];

  constructor(kind: Kind, url: string, room: string, options: DropInOptions = {}) {
    this.provider = kinds[kind](url, room, this.doc, {
      WebSocketPolyfill: WebSocket as unknown as typeof globalThis.WebSocket,
      disableBc: true,
      maxBackoffTime: 200,
      ...options,
    });
    for (const name of events) {
      this.provider.on(name, (...about: unknown[]) => {
        this.all.push([name, about.map((part) => this.#told(part)), this.fields]);
      });
    }
  }

  get fields(): string {
    const { wsconnected, wsconnecting, synced, shouldConnect, ws } = this.provider;
    // While it connects, ours may have none yet: the engine is opened first.
    const shown = { wsconnected, wsconnecting, synced, shouldConnect, ws: wsconnected && ws };
    return Object.entries(shown)
      .filter(([, isSo]) => Boolean(isSo))
      .map(([name]) => name)
      .join(" ");
  }

  /** What an application that reads an event by its documented members gets. */
  #told(part: unknown): unknown {
    if (part === this.provider) return "the provider";
    if (typeof part !== "object" || part === null) return part;
    const { type, code, wasClean, status, message } = part as Partial<CloseEvent & ErrorEvent> & {
      readonly status?: string;
    };
    const says = typeof message === "string" && message !== "" ? "a message" : undefined;
    return JSON.parse(JSON.stringify({ type, code, wasClean, status, message: says })) as unknown;
  }
}
