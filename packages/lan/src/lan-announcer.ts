import { randomBytes } from "node:crypto";

import type { HeddleError, Logger } from "@heddle/core";
import type { Discovery, RunningDiscovery, Sighting } from "@heddle/sync";

import { announcedText } from "./announcement-tags.ts";
import type { DeviceIdentity } from "./device-identity.ts";
import type { PairedDevice } from "./paired-device.ts";

export interface LanAnnouncerOptions {
  readonly discovery: Discovery | undefined;
  readonly identity: DeviceIdentity;
  readonly logger: Logger;
  readonly onSeen: (sighting: Sighting) => void;
  readonly onGone: (instance: string) => void;
}

/** Announces this device to those that it is paired with, and hears of them. Without any it says nothing. */
export class LanAnnouncer {
  readonly #options: LanAnnouncerOptions;
  #running: RunningDiscovery | undefined;
  #trouble: HeddleError | undefined;

  constructor(options: LanAnnouncerOptions) {
    this.#options = options;
  }

  /** Why nobody can be looked for, if it is so. */
  get trouble(): HeddleError | undefined {
    return this.#trouble;
  }

  /** Another name and other tags each time: nobody can follow a device over days. */
  announce(port: number, trusted: readonly PairedDevice[]): void {
    const { discovery, identity, onSeen, onGone } = this.#options;
    this.stop().catch((cause: unknown) => this.#fell(cause));
    this.#trouble = undefined;
    if (discovery === undefined || trusted.length === 0) return;
    const nonce = randomBytes(8).toString("hex");
    const instance = randomBytes(8).toString("hex");
    const text = announcedText(identity, trusted, nonce);
    this.#running = discovery.start(
      { instance, port, text },
      {
        onSeen,
        onGone,
        onTrouble: (error) => {
          this.#trouble = error;
          this.#fell(error);
        },
      },
    );
  }

  search(): void {
    this.#running?.search();
  }

  /** Says goodbye. */
  async stop(): Promise<void> {
    const running = this.#running;
    this.#running = undefined;
    await running?.stop();
  }

  #fell(error: unknown): void {
    const { cause } = error as { readonly cause?: { readonly code?: string } };
    this.#options.logger.warn("lan.discovery_failed", { code: cause?.code });
  }
}
