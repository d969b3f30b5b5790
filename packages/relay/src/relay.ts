import type { IncomingMessage, Server } from "node:http";
import type { AddressInfo } from "node:net";

import { HeddleError, HeddleErrorCode, isHeddleError } from "@heddle/core";
import type { PeerHost } from "@heddle/replica";
import { WebSocketServer, type Server as ServerOf } from "ws";

import { AddressBook } from "./address-book.ts";
import { isTokenRight, readConnectRequest } from "./admission.ts";
import { appFiles } from "./app-files.ts";
import { CatchUpBudget } from "./catch-up-budget.ts";
import { CatchUpTurns } from "./catch-up-turns.ts";
import { ClientShares } from "./client-shares.ts";
import { CloseCode } from "./close-code.ts";
import { DocumentCreations } from "./document-creations.ts";
import { FrontDoor, type Knock } from "./front-door.ts";
import { GatewayConnection } from "./gateway-connection.ts";
import type { GatewayContext } from "./gateway-context.ts";
import { HttpDoor, type HttpDoorStatus } from "./http-door.ts";
import { GatewayWebSocket } from "./gateway-web-socket.ts";
import { listenOn, urlOf } from "./listen-on.ts";
import { heapShare, LoadGauge, type RelayLoad } from "./load-gauge.ts";
import { CorkedSockets } from "./prepared-frame.ts";
import { PeerDoor } from "./peer-door.ts";
import { ReceiveBudget, ReceiveMeter } from "./receive-meter.ts";
import { countLimit, newRelayCounters } from "./relay-counters.ts";
import {
  assertLimitsMakeSense,
  defaultRelayLimits,
  type RelayLimit,
  type RelayLimits,
} from "./relay-limits.ts";
import { assertAccessDecided, type RelayOptions } from "./relay-options.ts";
import { RoomDirectory } from "./room-directory.ts";
import { SourceTags } from "./source-tags.ts";

/** How often it is looked for what happens only with time. */
const pulseMs = 1_000;

/**
 * A WebSocket server over a replica that speaks to stock y-websocket clients: the document name is
 * the path. It is one more replica, with no authority over content.
 */
export class Relay {
  readonly counters = newRelayCounters();
  readonly #options: RelayOptions;
  readonly #limits: RelayLimits;
  readonly #context: GatewayContext;
  readonly #door: FrontDoor;
  readonly #peerDoor: PeerDoor | undefined;
  readonly #httpDoor: HttpDoor | undefined;
  readonly #http: Server;
  readonly #webSockets: ServerOf<typeof GatewayWebSocket>;
  readonly #rooms: RoomDirectory;
  readonly #received: ReceiveBudget;
  readonly #load: LoadGauge;
  readonly #connections = new Set<GatewayConnection>();
  readonly #corked = new CorkedSockets();
  readonly #sourceTags: SourceTags;
  readonly #cancelTimers = new Set<() => void>();
  #isDraining = false;

  private constructor(options: RelayOptions) {
    this.#options = options;
    this.#limits = { ...defaultRelayLimits, ...options.limits };
    assertLimitsMakeSense(this.#limits);
    this.#received = new ReceiveBudget(this.#limits.receiveBytesMax);
    this.#load = new LoadGauge(this.#limits);
    const { hash, random } = options.environment;
    this.#sourceTags = new SourceTags(hash, random);
    this.#context = this.#newContext();
    this.#rooms = new RoomDirectory(options.replica, this.#context, options.peers);
    this.#webSockets = this.#newWebSocketServer();
    const onPage = appFiles(options.appDirectory);
    this.#door = new FrontDoor({
      ...this.#context,
      access: options.access ?? {},
      trustProxy: options.trustProxy ?? false,
      isDraining: () => this.#isDraining,
      onRequest: (request, response) => {
        if (!this.#httpDoor?.handle(request, response)) onPage(request, response);
      },
      onKnock: (knock) => this.#open(knock),
    });
    this.#peerDoor = options.peers && this.#newPeerDoor(options.peers);
    this.#httpDoor = this.#peerDoor && this.#newHttpDoor(this.#peerDoor);
    this.#http = this.#door.server;
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
    const { host, port, environment } = options;
    await listenOn(relay.#http, { host, port, logger: environment.logger });
    relay.#every(relay.#limits.pingIntervalMs, () => {
      for (const connection of relay.#connections) connection.checkAlive();
    });
    let pulsedMs = options.environment.clock.monotonicMs();
    relay.#every(pulseMs, () => {
      const nowMs = options.environment.clock.monotonicMs();
      relay.#pulse(nowMs, Math.max(0, nowMs - pulsedMs - pulseMs));
      pulsedMs = nowMs;
    });
    return relay;
  }

  get port(): number {
    return (this.#http.address() as AddressInfo).port;
  }

  get url(): string {
    const { host } = this.#options;
    return urlOf(host, this.port);
  }

  get isDraining(): boolean {
    return this.#isDraining;
  }

  /** The ceiling that keeps newcomers out at present. */
  get overloadedBy(): RelayLimit | undefined {
    return this.#load.exceeded;
  }

  get connectionCount(): number {
    return this.#connections.size;
  }

  /** Of sessions of the heddle wire over HTTP; `undefined` where no replica is let in. */
  get http(): HttpDoorStatus | undefined {
    return this.#httpDoor?.status;
  }

  /** What it holds at present of what is bounded for the process. */
  get load(): RelayLoad {
    return {
      exceeded: this.#load.exceeded,
      receivingBytes: this.#received.used,
      catchUpBytes: this.#context.catchUps.used,
    };
  }

  /**
   * Stops accepting, waits until everything received is on disk and shown, tells clients to come
   * back (1012), and hangs up. The replica is closed; the store is its owner's.
   *
   * @throws HeddleError `HEDDLE_STORAGE_*` when the disk failed meanwhile; everybody was told to come back all
   * the same.
   */
  async drain(): Promise<void> {
    if (this.#isDraining) return;
    this.#isDraining = true;
    for (const cancel of this.#cancelTimers) cancel();
    for (const connection of this.#connections) connection.pauseReading("draining");
    this.#rooms.stop();
    this.#options.peers?.stop(HeddleErrorCode.relayDraining);
    // A poll that comes for its goodbye needs a port to come to; nobody else is let in any more.
    await this.#httpDoor?.stop(this.#limits.lastWordsMs);
    const closed = new Promise<void>((resolve) => this.#http.close(() => resolve()));
    try {
      await this.#options.replica.close();
    } finally {
      // A disk that fails now is no reason to leave anybody on the line.
      await this.#hangUp(closed);
    }
  }

  async #hangUp(closed: Promise<void>): Promise<void> {
    for (const connection of this.#connections) {
      connection.close(CloseCode.serviceRestart, "the relay restarts");
    }
    const hangUp = setTimeout(() => {
      for (const connection of this.#connections) {
        countLimit(this.counters, "drainMsMax");
        connection.terminate();
      }
      this.#http.closeAllConnections();
    }, this.#limits.drainMsMax);
    this.#http.closeIdleConnections();
    await closed;
    clearTimeout(hangUp);
  }

  #open(knock: Knock): void {
    if (this.#peerDoor && PeerDoor.isFor(knock)) return this.#peerDoor.open(knock);
    const { request, socket, head } = knock;
    this.#webSockets.handleUpgrade(request, socket, head, (webSocket) => {
      this.#connect(knock, webSocket);
    });
  }

  #connect({ request, socket, address, id }: Knock, webSocket: GatewayWebSocket): void {
    const rates = address === undefined ? "free" : "limited";
    const connection = new GatewayConnection({
      ...this.#context,
      webSocket,
      socket,
      corked: this.#corked,
      meter: new ReceiveMeter(this.#limits, this.#received, rates, this.#nowMs),
      id,
      tag: this.#sourceTags.tagOf(id, address),
      address,
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
    const { exceeded } = this.#load;
    if (exceeded) {
      countLimit(this.counters, exceeded);
      throw new HeddleError(HeddleErrorCode.relayOverloaded, `the relay is over ${exceeded}`);
    }
    await this.#rooms.enter(connection, name);
  }

  /** What is only found by looking: what stands still, what is over a ceiling, what can be forgotten. */
  #pulse(nowMs: number, lagMs: number): void {
    const { readMemory = () => process.memoryUsage.rss(), environment } = this.#options;
    const before = this.#load.exceeded;
    this.#load.sample({ memoryBytes: readMemory(), heapShare: heapShare(), lagMs });
    const { exceeded } = this.#load;
    if (exceeded && !before) environment.logger.warn("relay.overloaded", { limit: exceeded });
    if (before && !exceeded) environment.logger.info("relay.recovered", { limit: before });
    for (const connection of this.#connections) connection.pulse();
    this.#rooms.pulse();
    this.#context.addresses.forgetIdle(nowMs);
    this.#context.shares.forgetFull(nowMs);
  }

  #newContext(): GatewayContext {
    const { environment, replica } = this.#options;
    return {
      environment,
      counters: this.counters,
      limits: this.#limits,
      addresses: new AddressBook(this.#limits),
      catchUps: new CatchUpBudget(this.#limits.catchUpBytesInFlightMax),
      turns: new CatchUpTurns(environment),
      shares: new ClientShares(this.#limits),
      creations: new DocumentCreations(() => replica.recovery.documents, this.counters),
    };
  }

  #newPeerDoor(peers: PeerHost): PeerDoor {
    const { access = {} } = this.#options;
    const overloadedBy = () => this.#load.exceeded;
    const documentCount = () => this.#context.creations.count;
    const door = this.#door;
    return new PeerDoor({ ...this.#context, peers, access, door, overloadedBy, documentCount });
  }

  #newHttpDoor(peerDoor: PeerDoor): HttpDoor {
    const { environment, access = {} } = this.#options;
    return new HttpDoor({
      environment,
      access,
      counters: this.counters,
      limits: this.#limits,
      door: this.#door,
      overloadedBy: () => this.#load.exceeded,
      onPeer: (connection, stranger) => peerDoor.accept(connection, stranger),
    });
  }

  #newWebSocketServer(): ServerOf<typeof GatewayWebSocket> {
    const { messageBytesMax, fragmentsMax, chunksMax } = this.#limits;
    const server = new WebSocketServer({
      noServer: true,
      WebSocket: GatewayWebSocket,
      maxPayload: messageBytesMax,
      maxFragments: fragmentsMax,
      maxBufferedChunks: chunksMax,
      // Prepared frames rely on it, and compressing each copy costs 50 times the CPU.
      perMessageDeflate: false,
      // Agreeing to `heddle.1` where nobody speaks it would promise it.
      handleProtocols: (offered) =>
        [...offered].find((name) => !name.startsWith("heddle.")) ?? false,
    });
    server.on("wsClientError", (_error, socket) => this.#door.refuse(socket, 400));
    return server;
  }

  get #nowMs(): number {
    return this.#options.environment.clock.monotonicMs();
  }

  #every(intervalMs: number, task: () => void): void {
    const timer = setInterval(task, intervalMs);
    timer.unref();
    this.#cancelTimers.add(() => clearInterval(timer));
  }
}
