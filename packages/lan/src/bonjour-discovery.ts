import { HeddleError, HeddleErrorCode, type Clock } from "@heddle/core";
import { Bonjour, type Browser, type Service } from "bonjour-service";
import type {
  AnnouncedText,
  Announcement,
  Discovery,
  DiscoveryHandlers,
  RunningDiscovery,
} from "@heddle/sync";

import { GuardedSocket, type PacketSocket } from "./guarded-socket.ts";
import type { LanCounters } from "./lan-counters.ts";
import { lanLimits } from "./lan-limits.ts";

export interface BonjourDiscoveryOptions {
  readonly clock: Clock;
  readonly counters: LanCounters;
  /** In place of a UDP socket on port 5353. */
  readonly newSocket?: () => PacketSocket;
}

/** `_heddle._tcp`. */
const type = "heddle";

/** Multicast DNS (RFC 6762, 6763) through bonjour-service. */
export function bonjourDiscovery(options: BonjourDiscoveryOptions): Discovery {
  return {
    start: (announcement, handlers) => new BonjourRun(options, announcement, handlers),
  };
}

class BonjourRun implements RunningDiscovery {
  readonly #options: BonjourDiscoveryOptions;
  readonly #handlers: DiscoveryHandlers;
  readonly #own: string;
  readonly #bonjour: Bonjour;
  #browser: Browser;
  #isStopped = false;

  constructor(
    options: BonjourDiscoveryOptions,
    { instance, port, text }: Announcement,
    handlers: DiscoveryHandlers,
  ) {
    this.#options = options;
    this.#handlers = handlers;
    this.#own = instance;
    const { clock, counters, newSocket } = options;
    const socket = new GuardedSocket({
      clock,
      counters,
      onSendFailed: (error) => this.#trouble(error),
      ...(newSocket && { socket: newSocket() }),
    });
    // What the library passes to multicast-dns, which its types do not know of.
    const settings: object = { socket };
    this.#bonjour = new Bonjour(settings, (error: Error) => this.#trouble(error));
    this.#watchLibrary();
    const service = this.#bonjour.publish({
      name: instance,
      type,
      port,
      txt: text,
      // The name of the computer would be in every packet otherwise.
      host: `${instance}.local`,
      // Nobody else has a random name: asking first would cost three quarters of a second.
      probe: false,
      disableIPv6: true,
    });
    service.on("error", (error: Error) => this.#trouble(error));
    this.#browser = this.#browse();
  }

  search(): void {
    if (!this.#isStopped) this.#browser.update();
  }

  async stop(): Promise<void> {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#browser.stop();
    await new Promise<void>((resolve) => this.#bonjour.unpublishAll(() => resolve()));
    await new Promise<void>((resolve) => this.#bonjour.destroy(() => resolve()));
  }

  #browse(): Browser {
    const browser = this.#bonjour.find({ type });
    browser.on("up", (service: Service) => this.#seen(service));
    browser.on("txt-update", (service: Service) => this.#seen(service));
    browser.on("srv-update", (service: Service) => this.#seen(service));
    browser.on("down", ({ name }: Service) => {
      if (this.#isStopped || name === this.#own) return;
      this.#options.counters.goodbyes++;
      this.#handlers.onGone(name);
    });
    return browser;
  }

  #seen({ name, port, txt, referer }: Service): void {
    if (this.#isStopped) return;
    // The library keeps whatever it is told of, for ever; also what is said in our own name.
    if (this.#browser.services.length > lanLimits.instancesMax) {
      this.#options.counters.instancesForgotten += this.#browser.services.length;
      this.#browser.stop();
      this.#browser = this.#browse();
    }
    if (name === this.#own) return;
    const text = textOf(txt);
    const isPort = Number.isInteger(port) && port > 0 && port < 65_536;
    if (referer?.address === undefined || !isPort || text === undefined) {
      this.#options.counters.announcementsIgnored++;
      return;
    }
    this.#handlers.onSeen({ instance: name, host: referer.address, port, text });
  }

  /** The library has no way to hear of sockets that fail: it would throw. */
  #watchLibrary(): void {
    const { server } = this.#bonjour as unknown as { readonly server: { readonly mdns: Emitter } };
    server.mdns.on("error", (error) => this.#trouble(error));
    server.mdns.on("warning", () => {
      this.#options.counters.packetsMalformed++;
    });
  }

  #trouble(cause: Error): void {
    if (this.#isStopped) return;
    const message = "devices on the local network cannot be looked for";
    const error = new HeddleError(HeddleErrorCode.discoveryUnavailable, message, { cause });
    this.#handlers.onTrouble(error);
  }
}

interface Emitter {
  on(event: "error" | "warning", listener: (error: Error) => void): void;
}

/** Undefined for more than an announcement has, or anything but short printable ASCII. */
function textOf(given: unknown): AnnouncedText | undefined {
  const entries = Object.entries((given ?? {}) as Readonly<Record<string, unknown>>);
  let bytes = 0;
  for (const [key, value] of entries) {
    if (typeof value !== "string" || !/^[\x20-\x7e]*$/.test(key + value)) return undefined;
    bytes += key.length + value.length + 2;
  }
  return bytes > lanLimits.textBytesMax
    ? undefined
    : (Object.fromEntries(entries) as AnnouncedText);
}
