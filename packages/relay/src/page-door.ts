import type { AddressInfo } from "node:net";

import { HeddleError, HeddleErrorCode } from "@heddle/core";
import type { PeerGround, PeerSource, RunningPeerSource } from "@heddle/replica";

import { AddressBook } from "./address-book.ts";
import { isOriginAllowed, isTokenRight, readToken } from "./admission.ts";
import { FrontDoor } from "./front-door.ts";
import { listenOn, urlOf } from "./listen-on.ts";
import { PeerDoor } from "./peer-door.ts";
import { newRelayCounters } from "./relay-counters.ts";
import { defaultRelayLimits } from "./relay-limits.ts";

/** Which pages may come in, and where. */
export interface PageDoorOptions {
  /** Of this machine; 0 takes a free one. */
  readonly port: number;
  /** Pages send it as `?token=`: {@link pageTokenCharacters}, which nobody guesses. */
  readonly token: string;
  /** Origins of the pages that may connect, e.g. `https://notes.example` or `app://notes`; each by its name. */
  readonly allowOrigins: readonly string[];
}

/** What came to a door so far, and who is inside. */
export interface PageDoorStatus {
  /** `ws://127.0.0.1:<port>`, for pages; undefined before the replica is open. */
  readonly url: string | undefined;
  readonly open: number;
  readonly accepted: number;
  readonly originsRefused: number;
  /** Those of foreign origins, wrong tokens and everything above a bound. */
  readonly refused: number;
}

/** Pages of this machine as peers: `openReplica({ store, peers: [lan(), pageDoor({ ... })] })`. */
export interface PageDoor extends PeerSource {
  readonly status: PageDoorStatus;
}

/** Least and most characters of a token of pages. */
export const pageTokenCharacters = { min: 16, max: 256 } as const;

/** Pages cannot be reached from another machine. */
const host = "127.0.0.1";

/**
 * Lets browser pages of this machine speak `heddle.1` with the replica, and through it with everybody it
 * knows. A browser page reaches no LAN by itself. It has to come from a listed origin **and** to know the
 * token: any page of the web can dial this port. Of a program of this machine the token alone is asked, as it
 * can claim any origin. Whoever lacks one of them uses up nothing of what those may do who come in.
 *
 * @throws HeddleError `HEDDLE_CONFIG_INVALID` when no origin is listed, one is none, or the token is one that
 * could be guessed, or is too long for an address.
 */
export function pageDoor(options: PageDoorOptions): PageDoor {
  assertDecided(options);
  return new LoopbackDoor(options);
}

class LoopbackDoor implements PageDoor {
  readonly name = "pages";
  readonly #options: PageDoorOptions;
  readonly #counters = newRelayCounters();
  #door: PeerDoor | undefined;
  #port: number | undefined;

  constructor(options: PageDoorOptions) {
    this.#options = options;
  }

  get status(): PageDoorStatus {
    const { peersAccepted, originsRefused, upgradesRefused } = this.#counters;
    return {
      url: this.#port === undefined ? undefined : urlOf(host, this.#port, "ws"),
      open: this.#door?.openCount ?? 0,
      accepted: peersAccepted,
      originsRefused,
      refused: upgradesRefused,
    };
  }

  async start({ host: peers, environment }: PeerGround): Promise<RunningPeerSource> {
    const { token, allowOrigins, port } = this.#options;
    const access = { token, allowOrigins };
    // Elsewhere this machine is trusted; here it is where everybody comes from.
    const limits = { ...defaultRelayLimits, limitLoopback: true };
    const addresses = new AddressBook(limits);
    const bounds = { environment, limits, addresses, access, counters: this.#counters };
    const front: FrontDoor = new FrontDoor({
      ...bounds,
      trustProxy: false,
      isDraining: () => false,
      onRequest: (_request, response) => {
        response.writeHead(426, { Connection: "close" }).end("heddle.1 over a WebSocket.\n");
      },
      onKnock: (knock) => {
        if (PeerDoor.isFor(knock)) door.open(knock);
        else front.refuse(knock.socket, 426);
      },
      isKnown: (request) =>
        isOriginAllowed(request.headers.origin, access) && isTokenRight(readToken(request), access),
      onForeignPage: (knock) => door.turnAway(knock, "pages of this origin are not let in"),
    });
    const door = new PeerDoor({
      ...bounds,
      peers,
      door: front,
      overloadedBy: () => undefined,
      // The disk below has a bound, and says when it is reached.
      documentCount: () => 0,
    });
    this.#door = door;
    await listenOn(front.server, { host, port, logger: environment.logger });
    ({ port: this.#port } = front.server.address() as AddressInfo);
    return {
      states: new Map(),
      nameOf: () => undefined,
      setOnline: () => undefined,
      retryNow: () => undefined,
      async stop() {
        // The host has said goodbye to all of them.
        const closed = new Promise<void>((resolve) => front.server.close(() => resolve()));
        front.server.closeAllConnections();
        await closed;
      },
    };
  }
}

/** Whether a browser would send that as the origin of a page: of the web, or of an application's own scheme. */
export function isPageOrigin(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { origin, protocol, host } = new URL(text);
  return origin === text || (origin === "null" && host !== "" && `${protocol}//${host}` === text);
}

function assertDecided({ token, allowOrigins }: PageDoorOptions): void {
  const { min, max } = pageTokenCharacters;
  if (token.length < min || token.length > max) {
    throw invalid(
      `the token of pages needs ${min} to ${max} characters: others could guess a short one`,
    );
  }
  if (allowOrigins.length === 0) {
    throw invalid("name the pages that may connect: --allow-origin https://notes.example");
  }
  for (const origin of allowOrigins) {
    if (!isPageOrigin(origin))
      throw invalid(`${origin} is no origin of a page, as in https://notes.example`);
  }
}

function invalid(message: string): HeddleError {
  return new HeddleError(HeddleErrorCode.configInvalid, message);
}
