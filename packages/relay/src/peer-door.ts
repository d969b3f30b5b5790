import { HeddleErrorCode, type Environment } from "@heddle/core";
import type { PeerHost } from "@heddle/replica";
import { connectionOf, heddleSocketOptions, subprotocol, type Connection } from "@heddle/sync";
import { WebSocketServer } from "ws";

import type { AddressBook } from "./address-book.ts";
import { isTokenRight, readToken } from "./admission.ts";
import type { FrontDoor, Knock, Stranger } from "./front-door.ts";
import { meteredPeer } from "./metered-peer.ts";
import { countLimit, type RelayCounters } from "./relay-counters.ts";
import type { RelayLimit, RelayLimits } from "./relay-limits.ts";
import type { RelayAccess } from "./relay-options.ts";

export interface PeerDoorOptions {
  readonly peers: PeerHost;
  readonly environment: Environment;
  readonly counters: RelayCounters;
  readonly limits: RelayLimits;
  readonly addresses: AddressBook;
  /** How many documents there are, those on their way to the store included. */
  readonly documentCount: () => number;
  readonly access: RelayAccess;
  readonly door: Pick<FrontDoor, "refuse" | "countRefused">;
  /** The ceiling that keeps newcomers out at present. */
  readonly overloadedBy: () => RelayLimit | undefined;
}

/** Where heddle replicas come in, on the port of everybody else: they ask for `heddle.1`. */
export class PeerDoor {
  readonly #options: PeerDoorOptions;
  readonly #webSockets = new WebSocketServer({ ...heddleSocketOptions, noServer: true });
  #openCount = 0;

  constructor(options: PeerDoorOptions) {
    this.#options = options;
    this.#webSockets.on("wsClientError", (_error, socket) => options.door.refuse(socket, 400));
  }

  /** Connections of those who were let in. */
  get openCount(): number {
    return this.#openCount;
  }

  /** Whether somebody asks for a heddle wire, of whatever version. */
  static isFor(knock: Knock): boolean {
    return offeredBy(knock).some((name) => name.startsWith("heddle."));
  }

  open(knock: Knock): void {
    const { access, door, overloadedBy } = this.#options;
    const { request, socket, head } = knock;
    if (!offeredBy(knock).includes(subprotocol)) return door.refuse(socket, 426);
    if (!isTokenRight(readToken(request), access)) {
      // A browser hides why an upgrade was refused, and shows with which words a connection was closed.
      const isPage = request.headers.origin !== undefined;
      if (isPage) return this.turnAway(knock, "the token is missing or wrong");
      return door.refuse(socket, 401);
    }
    const exceeded = overloadedBy();
    if (exceeded) return door.refuse(socket, 503, exceeded);
    this.#webSockets.handleUpgrade(request, socket, head, (webSocket) => {
      const { scheduler } = this.#options.environment;
      this.accept(connectionOf(webSocket, { scheduler }), knock);
    });
  }

  /** Says why to a page that may not come in; nothing that it sends is read. */
  turnAway({ request, socket, head }: Knock, why: string): void {
    this.#options.door.countRefused();
    this.#webSockets.handleUpgrade(request, socket, head, (webSocket) => {
      const { scheduler } = this.#options.environment;
      connectionOf(webSocket, { scheduler }).close(HeddleErrorCode.sessionRefused, why);
    });
  }

  /** Somebody who was let in, over whatever they came. */
  accept(connection: Connection, { id, address }: Stranger): void {
    const { peers, environment, counters, limits, addresses } = this.#options;
    counters.peersAccepted++;
    this.#openCount++;
    const metering = { environment, counters, limits, addresses };
    const metered =
      address === undefined ? connection : meteredPeer(connection, { ...metering, address });
    peers.connect(metered, "acceptor", {
      mayOpenNew: () => this.#mayOpenNew(address),
      onLive: () => environment.logger.debug("peer.live", { connection: id }),
      onEnded: ({ code }) => {
        this.#openCount--;
        environment.logger.info("peer.ended", { connection: id, address, code });
      },
    });
  }

  #mayOpenNew(address: string | undefined): boolean {
    const { addresses, counters, documentCount, environment, limits } = this.#options;
    if (documentCount() >= limits.documentsMax) {
      countLimit(counters, "documentsMax");
      return false;
    }
    if (address === undefined) return true;
    if (addresses.tryOpenNew(address, environment.clock.monotonicMs())) return true;
    countLimit(counters, "peerDocumentsPerAddressPerHour");
    return false;
  }
}

function offeredBy({ request }: Knock): readonly string[] {
  const offered = request.headers["sec-websocket-protocol"]?.split(",") ?? [];
  return offered.map((name) => name.trim());
}
