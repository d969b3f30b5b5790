import { constants } from "node:crypto";
import { once } from "node:events";
import { createServer as createHttpServer, type IncomingMessage } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";
import { createServer, TLSSocket, type Server } from "node:tls";

import { HeddleError, HeddleErrorCode, type Scheduler } from "@heddle/core";
import {
  connectionOf,
  heddleSocketOptions,
  subprotocol,
  type Connection,
  type ConnectionOfOptions,
} from "@heddle/sync";
import { WebSocketServer } from "ws";

import { BoundConnection, type AdmitStore } from "./bound-connection.ts";
import type { DeviceIdentity } from "./device-identity.ts";
import type { LanCounters } from "./lan-counters.ts";
import { lanLimits } from "./lan-limits.ts";
import type { PairedDevice } from "./paired-device.ts";
import type { PairedDevices } from "./paired-devices.ts";
import { shownDevice } from "./peer-certificate.ts";

export interface LanListenerOptions extends Pick<ConnectionOfOptions, "limits" | "silenceMs"> {
  readonly identity: DeviceIdentity;
  readonly paired: PairedDevices;
  readonly scheduler: Scheduler;
  readonly counters: LanCounters;
  /** Default: every address of this machine. */
  readonly host?: string | undefined;
  /** 0 takes a free one. */
  readonly port: number;
  /** From the first byte to a request to upgrade. */
  readonly handshakeMsMax?: number;
  readonly admitStore: AdmitStore;
  readonly onConnection: (connection: Connection, device: PairedDevice) => void;
}

/**
 * Where paired devices come in. Mutual TLS 1.3 first; then the key of the peer is looked up; only then is
 * a byte of what it says read as HTTP:
 *
 *   socket ──bounds──► TLS 1.3 ──key is pinned──► upgrade ──pinned still──► connection
 *      └────────────┴──────────────┴ destroyed, counted; nothing was said ┘
 */
export class LanListener {
  readonly #options: LanListenerOptions;
  readonly #tls: Server;
  readonly #http = createHttpServer({ maxHeaderSize: 8 * 1024, insecureHTTPParser: false });
  readonly #webSockets = new WebSocketServer({ ...heddleSocketOptions, noServer: true });
  /** By both ends of the socket, until it is a connection; with how to call the deadline off. */
  readonly #opening = new Map<string, { readonly socket: Socket; readonly callOff: () => void }>();
  readonly #secured = new Set<string>();
  readonly #sockets = new Set<Socket>();

  private constructor(options: LanListenerOptions) {
    this.#options = options;
    const { identity, counters, handshakeMsMax = lanLimits.handshakeMsMax } = options;
    this.#tls = createServer({
      key: identity.privateKey.export({ type: "pkcs8", format: "pem" }),
      cert: identity.certificate,
      requestCert: true,
      // Nobody signed for anybody: who it is decides the pin, below.
      rejectUnauthorized: false,
      minVersion: "TLSv1.3",
      // Whoever comes back shows a certificate again: there is nothing to resume.
      secureOptions: constants.SSL_OP_NO_TICKET,
      // As a net below: the deadline of each socket comes first.
      handshakeTimeout: 2 * handshakeMsMax,
    });
    this.#tls.on("connection", (socket: Socket) => this.#onSocket(socket));
    this.#tls.on("secureConnection", (socket) => this.#onSecured(socket));
    // Counted when the socket below is gone: some are cut off before TLS can complain.
    this.#tls.on("tlsClientError", (_error, socket) => socket.destroy());
    this.#http.on("upgrade", (request, socket, head) => this.#onUpgrade(request, socket, head));
    this.#http.on("request", (_request, response) => {
      counters.requestsRefused++;
      // Whoever looks for the cause of trouble reads the versions from it, and the clock from its date.
      const spoken = { upgrade: "websocket", "sec-websocket-protocol": subprotocol };
      response.writeHead(426, { ...spoken, connection: "close" }).end();
    });
    this.#http.on("clientError", (_error, socket) => {
      counters.requestsRefused++;
      socket.destroy();
    });
  }

  /** @throws HeddleError `HEDDLE_CONFIG_INVALID` when the address or port cannot be had. */
  static async start(options: LanListenerOptions): Promise<LanListener> {
    const listener = new LanListener(options);
    const { host, port } = options;
    listener.#tls.listen({ port, ...(host !== undefined && { host }) });
    try {
      await once(listener.#tls, "listening");
    } catch (cause) {
      const message = `nobody can listen on port ${port} of ${host ?? "this machine"}`;
      throw new HeddleError(HeddleErrorCode.configInvalid, message, { cause });
    }
    return listener;
  }

  get port(): number {
    return (this.#tls.address() as AddressInfo).port;
  }

  get socketCount(): number {
    return this.#sockets.size;
  }

  /** Resolves when the last socket has ended: connections that were handed out are their hosts' to close. */
  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#tls.close(resolve));
    for (const { socket } of this.#opening.values()) socket.destroy();
    this.#webSockets.close();
    await closed;
  }

  #onSocket(socket: Socket): void {
    const { scheduler, counters, handshakeMsMax = lanLimits.handshakeMsMax } = this.#options;
    const { remoteAddress } = socket;
    const fromThere = [...this.#sockets].filter((each) => each.remoteAddress === remoteAddress);
    const isTooMany =
      this.#sockets.size >= lanLimits.socketsMax ||
      fromThere.length >= lanLimits.socketsPerAddressMax;
    if (isTooMany) {
      counters.socketsDropped++;
      socket.destroy();
      return;
    }
    const key = keyOf(socket);
    this.#sockets.add(socket);
    const callOff = scheduler.after(handshakeMsMax, () => {
      if (this.#secured.has(key)) counters.requestsRefused++;
      socket.destroy();
    });
    this.#opening.set(key, { socket, callOff });
    socket.once("close", () => {
      if (!this.#secured.delete(key)) counters.handshakesFailed++;
      this.#settle(key);
      this.#sockets.delete(socket);
    });
  }

  #onSecured(socket: TLSSocket): void {
    const { paired, counters } = this.#options;
    this.#secured.add(keyOf(socket));
    // What goes wrong with it from here on ends it, and its end is told by its close.
    socket.on("error", () => socket.destroy());
    paired.refresh();
    if (paired.trusted(shownDevice(socket)?.fingerprint) === undefined) {
      counters.strangersRefused++;
      socket.destroy();
      return;
    }
    this.#http.emit("connection", socket);
  }

  #onUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const { paired, counters, scheduler, limits, silenceMs } = this.#options;
    const { admitStore, onConnection } = this.#options;
    const shown = socket instanceof TLSSocket ? shownDevice(socket) : undefined;
    const device = paired.trusted(shown?.fingerprint);
    if (shown === undefined || device === undefined) {
      counters.strangersRefused++;
      socket.destroy();
      return;
    }
    this.#webSockets.handleUpgrade(request, socket, head, (webSocket) => {
      this.#settle(keyOf(socket as TLSSocket));
      counters.accepted++;
      const options = { scheduler, ...(limits && { limits }), ...(silenceMs && { silenceMs }) };
      const connection = connectionOf(webSocket, options);
      onConnection(new BoundConnection(connection, shown, admitStore), device);
    });
  }

  #settle(key: string): void {
    this.#opening.get(key)?.callOff();
    this.#opening.delete(key);
  }
}

/** TLS and what carries it share their ends. */
function keyOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}
