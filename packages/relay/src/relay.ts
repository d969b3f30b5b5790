import { createServer, STATUS_CODES, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";

import { HeddleError, HeddleErrorCode, isHeddleError } from "@heddle/core";
import { WebSocketServer, type WebSocket } from "ws";

import { isOriginAllowed, isTokenRight, readConnectRequest } from "./admission.ts";
import { appFiles } from "./app-files.ts";
import { CloseCode } from "./close-code.ts";
import { GatewayConnection } from "./gateway-connection.ts";
import { CorkedSockets } from "./prepared-frame.ts";
import { newRelayCounters } from "./relay-counters.ts";
import {
  assertAccessDecided,
  defaultRelayLimits,
  type RelayLimits,
  type RelayOptions,
} from "./relay-options.ts";
import { RoomDirectory } from "./room-directory.ts";

/** How often silent clients are looked for; they count as gone after 30 s. */
const awarenessExpiryMs = 5_000;

/**
 * A WebSocket server over a replica that speaks to stock y-websocket clients: the document name is
 * the path. It is one more replica, with no authority over content.
 */
export class Relay {
  readonly counters = newRelayCounters();
  readonly #options: RelayOptions;
  readonly #limits: RelayLimits;
  readonly #http: Server;
  readonly #webSockets: WebSocketServer;
  readonly #rooms: RoomDirectory;
  readonly #connections = new Set<GatewayConnection>();
  readonly #corked = new CorkedSockets();
  readonly #cancelTimers = new Set<() => void>();
  #connectionsMade = 0;
  #isDraining = false;

  private constructor(options: RelayOptions) {
    this.#options = options;
    this.#limits = { ...defaultRelayLimits, ...options.limits };
    this.#rooms = new RoomDirectory(options.replica, options.environment, this.counters);
    this.#http = createServer(appFiles(options.appDirectory));
    this.#webSockets = new WebSocketServer({
      noServer: true,
      maxPayload: this.#limits.messageBytesMax,
      // Prepared frames rely on it, and compressing each copy costs 50 times the CPU.
      perMessageDeflate: false,
      // `heddle.1` is spoken by a later version; agreeing to it now would promise it.
      handleProtocols: (offered) => [...offered].find((name) => !name.startsWith("heddle.")) ?? false,
    });
    this.#http.on("upgrade", (request, socket, head) => this.#upgrade(request, socket, head));
    this.#http.on("clientError", (_error, socket) => socket.destroy());
  }

  /**
   * Starts to listen.
   *
   * @throws HeddleError `HEDDLE_CONFIG_INVALID` when strangers could reach it and nobody said that
   * they may, or when the address cannot be had.
   */
  static async start(options: RelayOptions): Promise<Relay> {
    assertAccessDecided(options.host, options.access);
    const relay = new Relay(options);
    await relay.#listen();
    relay.#every(relay.#limits.pingIntervalMs, () => {
      for (const connection of relay.#connections) connection.checkAlive();
    });
    relay.#every(awarenessExpiryMs, () => {
      for (const room of relay.#rooms.rooms) room.expireAwareness();
    });
    return relay;
  }

  get port(): number {
    return (this.#http.address() as AddressInfo).port;
  }

  get url(): string {
    const { host } = this.#options;
    return `http://${host.includes(":") ? `[${host}]` : host}:${this.port}`;
  }

  get connectionCount(): number {
    return this.#connections.size;
  }

  /**
   * Stops accepting, waits until everything received is on disk and shown, tells clients to come
   * back (1012), and hangs up. The replica is closed; the store is its owner's.
   */
  async drain(): Promise<void> {
    if (this.#isDraining) return;
    this.#isDraining = true;
    for (const cancel of this.#cancelTimers) cancel();
    const closed = new Promise<void>((resolve) => this.#http.close(() => resolve()));
    for (const connection of this.#connections) connection.stopReading();
    await this.#options.replica.close();
    for (const connection of this.#connections) {
      connection.close(CloseCode.serviceRestart, "the relay restarts");
    }
    const hangUp = setTimeout(() => {
      for (const connection of this.#connections) connection.terminate();
      this.#http.closeAllConnections();
    }, this.#limits.drainMsMax);
    this.#http.closeIdleConnections();
    await closed;
    clearTimeout(hangUp);
  }

  #listen(): Promise<void> {
    const { host, port } = this.#options;
    return new Promise((resolve, reject) => {
      this.#http.once("error", (cause) => {
        const message = `cannot listen on ${host}:${port}`;
        reject(new HeddleError(HeddleErrorCode.configInvalid, message, { cause }));
      });
      this.#http.listen(port, host, () => {
        this.#http.removeAllListeners("error");
        this.#http.on("error", (error) => {
          this.#options.environment.logger.error("relay.server_error", { error: String(error) });
        });
        resolve();
      });
    });
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on("error", () => {
      this.counters.socketErrors++;
    });
    const { origin, host } = request.headers;
    if (!isOriginAllowed(origin, host, this.#options.access ?? {})) {
      this.counters.originsRefused++;
      this.#options.environment.logger.info("connection.origin_refused", { origin });
      rejectUpgrade(socket, 403);
    } else if (this.#isDraining) {
      rejectUpgrade(socket, 503);
    } else {
      this.#webSockets.handleUpgrade(request, socket, head, (webSocket) => {
        this.#connect(request, webSocket, socket);
      });
    }
  }

  #connect(request: IncomingMessage, webSocket: WebSocket, socket: Duplex): void {
    const connection = new GatewayConnection({
      webSocket,
      socket,
      corked: this.#corked,
      environment: this.#options.environment,
      counters: this.counters,
      limits: this.#limits,
      id: ++this.#connectionsMade,
    });
    this.counters.connectionsAccepted++;
    this.#connections.add(connection);
    webSocket.once("close", () => this.#connections.delete(connection));
    this.#enter(connection, request).catch((error: unknown) => {
      if (!isHeddleError(error)) throw error;
      connection.refuse(error);
    });
  }

  async #enter(connection: GatewayConnection, request: IncomingMessage): Promise<void> {
    const { name, token } = readConnectRequest(request);
    if (!isTokenRight(token, this.#options.access ?? {})) {
      throw new HeddleError(HeddleErrorCode.sessionRefused, "the token is missing or wrong");
    }
    await this.#rooms.enter(connection, name);
  }

  #every(intervalMs: number, task: () => void): void {
    const timer = setInterval(task, intervalMs);
    timer.unref();
    this.#cancelTimers.add(() => clearInterval(timer));
  }
}

function rejectUpgrade(socket: Duplex, status: number): void {
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\n\r\n`);
}
