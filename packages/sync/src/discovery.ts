import type { HeddleError } from "@heddle/core";

/**
 * Finds addresses of devices on the local network. Everything that it says is a hint from somebody who may
 * lie: it decides where to look and in which order, never whom to trust or what to forget.
 */
export interface Discovery {
  /** Announces and looks until it is stopped. Whoever has something else to announce starts anew. */
  start(announcement: Announcement, handlers: DiscoveryHandlers): RunningDiscovery;
}

export interface Announcement {
  /** A name that nobody else has and that says nothing: made anew for each start. */
  readonly instance: string;
  /** Where this device listens. */
  readonly port: number;
  readonly text: AnnouncedText;
}

/** Short keys to printable ASCII. */
export type AnnouncedText = Readonly<Record<string, string>>;

export interface Sighting {
  readonly instance: string;
  /** Where the packet came from: what it says of addresses is not believed. */
  readonly host: string;
  readonly port: number;
  readonly text: AnnouncedText;
}

export interface DiscoveryHandlers {
  /** Also for an instance that was seen before and says something else now. */
  onSeen(sighting: Sighting): void;
  /** It said goodbye, or somebody said it in its name. */
  onGone(instance: string): void;
  /** `HEDDLE_DISCOVERY_UNAVAILABLE`: it does not work here, or not now. Known addresses do. */
  onTrouble(error: HeddleError): void;
}

export interface RunningDiscovery {
  /** Asks who is there once more: packets are lost. */
  search(): void;
  /** Says goodbye. Nothing is told afterwards. */
  stop(): Promise<void>;
}
