import {
  deviceKey,
  isHeddleError,
  HeddleErrorCode,
  MemoryDisk,
  MemoryLogStore,
  type DeviceKey,
  type DocumentName,
  type Environment,
  type LaneId,
  type Logger,
  type MemberRole,
  type Membership,
  type MembershipLog,
  type Signer,
} from "@heddle/core";
import * as Y from "yjs";

import { testCompression, testHash } from "../../test-environment.ts";
import { hashSigner, hashVerifier } from "../sim-crypto.ts";
import type { SimNetwork } from "../sim-network.ts";
import type { SimRandom } from "../sim-random.ts";
import { SimClock, type SimTime } from "../sim-time.ts";
import { SimMachine, SimScheduler, type SimMessage } from "../sim-transport.ts";
import type { MayOfferMember, MemberReplica, OpenMember } from "./member-replica.ts";

const ignore = (): void => undefined;
const silent: Logger = { debug: ignore, info: ignore, warn: ignore, error: ignore };

/** A lane of a document, as far as it is in a log. */
export interface LaneView {
  readonly device: DeviceKey;
  readonly seq: number;
  readonly soundSeq: number;
}

export interface MemberHomeParts {
  readonly name: string;
  readonly time: SimTime;
  readonly network: SimNetwork;
  readonly random: SimRandom;
  readonly clockOffsetMs: number;
  readonly open: OpenMember;
  /** Overhears what it says. */
  readonly onMessage: (message: SimMessage) => void;
}

/** A device with a disk in memory, on the simulated network: everything that decides is what ships. */
export class MemberHome {
  readonly name: string;
  readonly key: DeviceKey;
  readonly signer: Signer;
  readonly machine: SimMachine;
  isOnline = true;
  readonly #parts: MemberHomeParts;
  readonly #environment: Environment;
  readonly #disk = new MemoryDisk();
  #store: MemoryLogStore | undefined;
  #live: MemberReplica | undefined;
  #log: MembershipLog | undefined;

  constructor(parts: MemberHomeParts) {
    const { name, time, network, random, clockOffsetMs, onMessage } = parts;
    this.#parts = parts;
    this.name = name;
    this.signer = hashSigner(random.bytes(32));
    this.key = deviceKey(this.signer.devicePublicKey);
    const scheduler = new SimScheduler(time);
    this.#environment = {
      clock: new SimClock(time, clockOffsetMs),
      scheduler,
      random,
      hash: testHash,
      compression: testCompression,
      logger: silent,
    };
    const onConnection = (
      connection: Parameters<NonNullable<MemberReplica["peers"]>["accept"]>[0],
    ) => {
      if (this.#live?.peers) this.#live.peers.accept(connection);
      else connection.close(HeddleErrorCode.sessionClosed);
    };
    this.machine = new SimMachine({ name, network, scheduler, onConnection, onMessage });
  }

  /** Who may do what, as far as it has heard; of the start before where it is not open. */
  get membership(): Membership {
    return this.#log!.membership;
  }

  /** Starts from the disk, and keeps connections to `dials`. */
  async open(
    genesis: Uint8Array,
    dials: readonly MemberHome[],
    mayOffer: MayOfferMember | undefined,
  ): Promise<void> {
    const store = await MemoryLogStore.open(this.#disk, this.#environment.random);
    this.#store = store;
    this.#live = await this.#parts.open({
      environment: this.#environment,
      store,
      signer: this.signer,
      verifier: hashVerifier,
      genesis,
      follow: true,
      ...(mayOffer && { mayOffer }),
      peers: dials.map(({ name, machine }) => {
        return { name, transport: this.machine.transportTo(machine) };
      }),
      release: () => store.close(),
    });
    this.#log = this.#live.replica.members!.log;
    this.#live.peers!.setOnline(this.isOnline);
  }

  async close(): Promise<void> {
    const live = this.#live;
    this.#live = undefined;
    await live?.close();
  }

  /** Somebody types a letter. */
  async write(name: DocumentName): Promise<void> {
    const { random } = this.#parts;
    await this.#live!.replica.using(name, async (document) => {
      const ydoc = new Y.Doc();
      ydoc.clientID = random.between(1, 2 ** 31);
      Y.applyUpdate(ydoc, document.encodeSince());
      const before = Y.encodeStateVector(ydoc);
      const text = ydoc.getText("text");
      text.insert(random.between(0, text.length), String.fromCodePoint(random.between(97, 122)));
      document.submit(Y.encodeStateAsUpdate(ydoc, before), { isTrusted: true });
      await document.whenSettled();
    });
  }

  /** False when it may not, as far as it knows. */
  grant(device: DeviceKey, role: MemberRole): Promise<boolean> {
    return this.#try(() => this.#live!.replica.acts!.grant(device, role));
  }

  revoke(device: DeviceKey): Promise<boolean> {
    return this.#try(() => this.#live!.replica.acts!.revoke(device));
  }

  setOnline(isOnline: boolean): void {
    this.isOnline = isOnline;
    this.#live?.peers!.setOnline(isOnline);
  }

  /** Its rule answers otherwise than before. */
  reviewOffers(): void {
    this.#live?.peers!.reviewOffers();
  }

  retryNow(): void {
    this.#live?.peers!.retryNow();
  }

  textOf(name: DocumentName): Promise<string> {
    return this.#live!.replica.using(name, async (document) => {
      const ydoc = new Y.Doc();
      Y.applyUpdate(ydoc, document.encodeSince());
      return ydoc.getText("text").toJSON();
    });
  }

  /** Of every lane in the log here: whose it is, how far it reaches, and how far nothing is wrong with it. */
  lanesOf(name: DocumentName): Promise<ReadonlyMap<LaneId, LaneView>> {
    return this.#live!.replica.using(name, async (document) => {
      const lanes = new Map<LaneId, LaneView>();
      for (const [id, { seq }] of await document.whenDurable()) {
        const lane = await this.#store!.readLane(id);
        const soundSeq = Math.min(seq, (document.uncountedFrom.get(id) ?? Infinity) - 1);
        lanes.set(id, { device: deviceKey(lane!.devicePublicKey), seq, soundSeq });
      }
      return lanes;
    });
  }

  async #try(act: () => Promise<unknown>): Promise<boolean> {
    try {
      await act();
      return true;
    } catch (error) {
      if (isHeddleError(error, HeddleErrorCode.membershipRefused)) return false;
      throw error;
    }
  }
}
