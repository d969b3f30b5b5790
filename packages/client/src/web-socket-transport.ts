import { HeddleError, HeddleErrorCode, type Scheduler } from "@heddle/core/base";
import {
  attemptDial,
  closeWordsOf,
  codeOfStatus,
  FrameConnection,
  subprotocol,
  transportLimits,
  wireLimits,
  type AbortSignalLike,
  type Connection,
  type DialOutcome,
  type Transport,
  type TransportLimits,
} from "@heddle/sync/connection";

import { timerScheduler } from "./timer-scheduler.ts";
import { WebSocketCarrier } from "./web-socket-carrier.ts";
import type { WebSocketConstructor, WebSocketLike } from "./web-socket-like.ts";

export type { WebSocketConstructor, WebSocketExtras, WebSocketLike } from "./web-socket-like.ts";

/** Where a relay is, and how it is dialled. */
export interface WebSocketTransportOptions {
  /** `ws:` or `wss:`. */
  readonly url: string;
  /** `globalThis.WebSocket` by default. Node before 22 has none: give the one of `ws`. */
  readonly WebSocket?: WebSocketConstructor;
  /** Offered behind `heddle.1`, for what stands in front of the relay. */
  readonly protocols?: readonly string[];
  /** Asked for before each dial; travels as `?token=`, as a page can set no headers here. */
  readonly token?: string | (() => string | Promise<string>);
  readonly scheduler?: Scheduler;
  readonly limits?: Partial<TransportLimits>;
}

/**
 * Dials a relay over WebSocket, subprotocol `heddle.1`. Keeps order and loses nothing while it lasts.
 * A socket whose other end has vanished goes on looking well: the protocol's PING finds that out.
 *
 * Browsers hide why an upgrade was refused; with `ws`, 401 and 403 end a dial with
 * `HEDDLE_SESSION_REFUSED`, 426 with `HEDDLE_PROTOCOL_VERSION`, 429 and 503 with
 * `HEDDLE_RELAY_OVERLOADED`.
 *
 * @throws HeddleError `HEDDLE_CONFIG_INVALID` for an address that is no WebSocket's, or without a
 * WebSocket to use.
 */
export function webSocketTransport(options: WebSocketTransportOptions): Transport {
  const url = parseUrl(options.url);
  const Socket = options.WebSocket ?? platformWebSocket();
  const scheduler = options.scheduler ?? timerScheduler;
  const limits = { ...transportLimits, ...options.limits };
  const protocols = [subprotocol, ...(options.protocols ?? [])];
  return {
    name: "websocket",
    async dial(signal: AbortSignalLike): Promise<Connection> {
      const about = { signal, scheduler, dialMsMax: limits.dialMsMax, target: url.origin };
      return attemptDial<Connection>(about, (outcome) => {
        let socket: WebSocketLike | undefined;
        let isGivenUp = false;
        const begin = (token: string | undefined) => {
          if (isGivenUp) return;
          try {
            socket = new Socket(addressOf(url, token), protocols, extras);
          } catch (cause) {
            const message = `no WebSocket to ${url.origin} can be made`;
            outcome.failed(new HeddleError(HeddleErrorCode.sessionClosed, message, { cause }));
            return;
          }
          watchOpening(socket, outcome, (opened) => connectionOn(opened, { scheduler, limits }));
        };
        // Most dials need not wait for a token, and begin at once.
        if (typeof options.token !== "function") begin(options.token);
        else askToken(options.token).then(begin, (error: HeddleError) => outcome.failed(error));
        return () => {
          isGivenUp = true;
          if (socket) letGo(socket);
        };
      });
    },
  };
}

const extras = { maxPayload: wireLimits.frameBytesMax, perMessageDeflate: false } as const;

function watchOpening(
  socket: WebSocketLike,
  outcome: DialOutcome<Connection>,
  connect: (opened: WebSocketLike) => Connection,
): void {
  socket.binaryType = "arraybuffer";
  let status: number | undefined;
  socket.on?.("unexpected-response", (_request, response) => {
    status = response.statusCode ?? 0;
    fail();
  });
  const fail = (cause?: unknown) => {
    const code = status === undefined ? HeddleErrorCode.sessionClosed : codeOfStatus(status);
    const answer = status === undefined ? "does not answer" : `answers ${status}`;
    outcome.failed(new HeddleError(code, `the WebSocket ${answer}`, { cause }));
  };
  socket.onerror = (event: { readonly error?: unknown }) => fail(event.error);
  socket.onclose = () => fail();
  socket.onopen = () => {
    if (socket.protocol === subprotocol) return outcome.opened(connect(socket));
    const message = `the peer does not speak ${subprotocol}`;
    outcome.failed(new HeddleError(HeddleErrorCode.protocolVersion, message));
  };
}

function connectionOn(
  socket: WebSocketLike,
  options: { readonly scheduler: Scheduler; readonly limits: TransportLimits },
): Connection {
  const carrier = new WebSocketCarrier(socket);
  const connection = new FrameConnection(carrier, options);
  carrier.reportTo(connection);
  return connection;
}

/** Ends a socket that became no connection. What it still has to say is for nobody. */
function letGo(socket: WebSocketLike): void {
  socket.onopen = null;
  socket.onclose = null;
  // `ws` says that it was cut off, which an emitter without a listener would throw.
  socket.onerror = () => undefined;
  if (socket.terminate) socket.terminate();
  else socket.close(1000, closeWordsOf(HeddleErrorCode.sessionClosed).text);
}

async function askToken(token: () => string | Promise<string>): Promise<string> {
  try {
    return await token();
  } catch (cause) {
    throw new HeddleError(HeddleErrorCode.sessionClosed, "no token could be had", { cause });
  }
}

function addressOf(url: URL, token: string | undefined): string {
  if (token === undefined) return url.href;
  const address = new URL(url);
  address.searchParams.set("token", token);
  return address.href;
}

function parseUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  // A fragment makes the constructor throw, and means nothing here.
  if (url && /^wss?:$/.test(url.protocol) && url.hash === "") return url;
  throw new HeddleError(HeddleErrorCode.configInvalid, `${text} is no address of a WebSocket`);
}

function platformWebSocket(): WebSocketConstructor {
  const { WebSocket } = globalThis as { readonly WebSocket?: WebSocketConstructor };
  if (WebSocket) return WebSocket;
  const message = "this platform has no WebSocket: hand in the one of ws";
  throw new HeddleError(HeddleErrorCode.configInvalid, message);
}
