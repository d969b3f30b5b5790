import {
  createSpace,
  deviceKey,
  HeddleError,
  HeddleErrorCode,
  MemoryDisk,
  MemoryLogStore,
  type DeviceKey,
  type GenesisRecord,
  type Signer,
} from "@heddle/core";
import type { Transport } from "@heddle/sync";
import { expect } from "vitest";

import type { LiveReplica } from "../live/live-replica.ts";
import { ephemeralDeviceKey, nodeVerifier } from "../node-environment.ts";
import { openLiveReplica } from "../open-live-replica.ts";
import { PairedConnection } from "@heddle/testkit";
import { environment } from "../replica.fixture.ts";
import type { MemberActs } from "./member-acts.ts";
import type { SpaceMembers } from "./space-members.ts";

/** A device with a disk, which keeps connections to others while they are there. */
export class Home {
  readonly name: string;
  readonly signer: Signer = ephemeralDeviceKey();
  readonly disk = new MemoryDisk();
  live!: LiveReplica;
  readonly #dials: readonly Home[];
  #isOnline = true;
  #isOpen = false;

  constructor(name: string, dials: readonly Home[] = []) {
    this.name = name;
    this.#dials = dials;
  }

  get key(): DeviceKey {
    return deviceKey(this.signer.devicePublicKey);
  }

  get members(): SpaceMembers {
    return this.live.replica.members!;
  }

  get acts(): MemberActs {
    return this.live.replica.acts!;
  }

  createSpace(): Promise<GenesisRecord> {
    const madeAt = { wallMs: 1, counter: 0 };
    return createSpace({ ...environment, signer: this.signer, madeAt });
  }

  async open({ bytes: genesis }: GenesisRecord): Promise<this> {
    const store = await MemoryLogStore.open(this.disk, environment.random);
    const opening = openLiveReplica({
      store,
      environment,
      signer: this.signer,
      verifier: nodeVerifier,
      genesis,
      follow: true,
      peers: this.#dials.map((peer) => ({ name: peer.name, transport: this.#transportTo(peer) })),
      release: () => store.close(),
    });
    // What was handed in open is its owner's until it is taken.
    this.live = await opening.catch(async (error: unknown) => {
      await store.close();
      throw error;
    });
    this.#isOpen = true;
    return this;
  }

  /** Offline nobody is dialed, and nobody gets through. */
  setOnline(isOnline: boolean): void {
    this.#isOnline = isOnline;
    this.live.peers!.setOnline(isOnline);
    if (!isOnline) for (const connection of this.#connections.splice(0)) connection.close(lost);
  }
  readonly #connections: PairedConnection[] = [];

  async close(): Promise<void> {
    this.#isOpen = false;
    await this.live.close();
  }

  async write(document: string, text: string): Promise<void> {
    const live = await this.live.open(document);
    live.ydoc.getText("text").insert(0, text);
    await live.whenSaved();
    await live.close();
  }

  async text(document: string): Promise<string> {
    const live = await this.live.open(document);
    const text = live.ydoc.getText("text").toJSON();
    await live.close();
    return text;
  }

  #transportTo(peer: Home): Transport {
    return {
      name: "pair",
      dial: async () => {
        if (!this.#isOnline || !peer.#isOnline || !peer.#isOpen) {
          throw new HeddleError(lost, "nobody answers");
        }
        const [here, there] = PairedConnection.pair();
        this.#connections.push(here);
        peer.#connections.push(there);
        peer.live.peers!.accept(there);
        return here;
      },
    };
  }
}

const lost = HeddleErrorCode.sessionClosed;

/** Waits until everybody shows that of a document. */
export async function showing(
  document: string,
  text: string,
  homes: readonly Home[],
): Promise<void> {
  for (const home of homes) {
    const shown = () => home.text(document);
    await expect
      .poll(shown, { timeout: 15_000, message: `${home.name} of ${document}` })
      .toBe(text);
  }
}

/** Waits until everybody holds as many records. */
export async function heard(count: number, homes: readonly Home[]): Promise<void> {
  for (const home of homes) {
    await expect.poll(() => home.members.log.size, { timeout: 15_000 }).toBe(count);
  }
}
