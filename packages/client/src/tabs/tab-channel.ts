import { toHex, type DocumentId, type Random } from "@heddle/core";
import type { DialerStateName } from "@heddle/replica";

import type { Waiting } from "../engine/engine-view.ts";
import type { Durability } from "../platform/platform.ts";

/** A tab says what it shows, and asks how things stand. */
export interface WantMessage {
  readonly heddle: 1;
  readonly kind: "want";
  readonly tab: string;
  /** Of documents. */
  readonly names: readonly string[];
  /** Whether it wants a connection to the relay. */
  readonly isOnline: boolean;
  /** Somebody looks at it: what waits for its time is dialed now. Missing in versions before. */
  readonly isUrgent?: boolean;
  /** Comes back when all that was said before has been looked at. */
  readonly ask: number;
}

/** The tab that stores says how things stand. */
export interface KeeperMessage {
  readonly heddle: 1;
  readonly kind: "keeper";
  /** Of this time of keeping: another one begins a new one. */
  readonly keeper: string;
  readonly durability: Durability;
  readonly relay: { readonly name: DialerStateName; readonly code: number | undefined };
  readonly waiting: readonly (readonly [DocumentId, Waiting])[];
  readonly settled: readonly DocumentId[];
  /** The last {@link WantMessage.ask} of each tab. */
  readonly answers: readonly (readonly [string, number])[];
}

interface ByeMessage {
  readonly heddle: 1;
  readonly kind: "bye";
  readonly tab: string;
}

type TabMessage = WantMessage | KeeperMessage | ByeMessage;

export interface TabListeners {
  readonly onWant?: (message: WantMessage) => void;
  readonly onKeeper?: (message: KeeperMessage) => void;
  readonly onBye?: (tab: string) => void;
}

/**
 * What the tabs of an origin tell each other beside the documents themselves. Pages of one origin trust
 * each other: whoever can post here can read the store as well.
 */
export class TabChannel {
  /** Of this end. */
  readonly id: string;
  readonly #channel: BroadcastChannel;

  constructor(name: string, random: Random, listeners: TabListeners) {
    this.id = toHex(random.bytes(16));
    this.#channel = new BroadcastChannel(`${name}/about`);
    this.#channel.onmessage = ({ data }: MessageEvent<Partial<TabMessage> | null>) => {
      // Another version, or something else under the same name, may post as well.
      if (data?.heddle !== 1) return;
      const message = data as TabMessage;
      if (message.kind === "want") listeners.onWant?.(message);
      else if (message.kind === "keeper") listeners.onKeeper?.(message);
      else if (message.kind === "bye") listeners.onBye?.(message.tab);
    };
  }

  want(about: Pick<WantMessage, "names" | "isOnline" | "isUrgent" | "ask">): void {
    this.#post({ heddle: 1, kind: "want", tab: this.id, ...about });
  }

  tell(about: Omit<KeeperMessage, "heddle" | "kind" | "keeper">): void {
    this.#post({ heddle: 1, kind: "keeper", keeper: this.id, ...about });
  }

  bye(): void {
    this.#post({ heddle: 1, kind: "bye", tab: this.id });
  }

  close(): void {
    this.#channel.onmessage = null;
    this.#channel.close();
  }

  #post(message: TabMessage): void {
    this.#channel.postMessage(message);
  }
}
