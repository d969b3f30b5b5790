import {
  createSpace,
  documentIdOf,
  MemberRole,
  parseDocumentName,
  type DocumentName,
  type GenesisRecord,
  type Membership,
} from "@heddle/core";

import { testHash } from "../../test-environment.ts";
import { BrokenPromise } from "../sim-checker.ts";
import { SimNetwork, soundNetwork } from "../sim-network.ts";
import type { SimRandom } from "../sim-random.ts";
import { SimTime } from "../sim-time.ts";
import { SimTrace } from "../sim-trace.ts";
import type { SimMessage } from "../sim-transport.ts";
import { MemberHome } from "./member-home.ts";
import type { OpenMember } from "./member-replica.ts";
import type { OfferWatch } from "./offer-watch.ts";
import { SpaceOffers } from "./space-offers.ts";

const yearMs = 365 * 24 * 3_600_000;
/** Longer than any back-off: whatever can settle has settled by then. */
const quietSecondsMax = 200;
const documents = ["plan", "list"].map(parseDocumentName);
/** Of a step in a space with rules, that somebody changes its mind. */
const changeRatio = 0.25;
const roles = [
  MemberRole.relay,
  MemberRole.read,
  MemberRole.write,
  MemberRole.write,
  MemberRole.admin,
];

/** Some begin as strangers. */
const firstRoles = [
  MemberRole.admin,
  MemberRole.admin,
  MemberRole.admin,
  MemberRole.write,
  MemberRole.read,
  undefined,
];

export interface MembersWorldOptions {
  readonly random: SimRandom;
  readonly open: OpenMember;
  readonly keepsTimeline: boolean;
  /** Devices have rules about who is to have what. */
  readonly hasRules: boolean;
}

/**
 * Devices of one space that grant, remove and write, together and apart, and what all of them have to come
 * to when they have heard of each other.
 */
export class MembersWorld {
  readonly time = new SimTime();
  readonly trace: SimTrace;
  readonly counts = {
    acts: 0,
    refused: 0,
    edits: 0,
    absences: 0,
    restarts: 0,
    removed: 0,
    allowedLater: 0,
  };
  readonly #random: SimRandom;
  readonly #hasRules: boolean;
  readonly #network: SimNetwork;
  readonly #homes: readonly MemberHome[];
  readonly #offers: SpaceOffers;
  #watch!: OfferWatch;
  #genesis!: GenesisRecord;

  constructor({ random, open, keepsTimeline, hasRules }: MembersWorldOptions) {
    this.#random = random.fork();
    this.#hasRules = hasRules;
    this.trace = new SimTrace(keepsTimeline);
    this.#network = new SimNetwork(this.time, random.fork());
    const names = ["ada", "bo", "cy", "di", "ed"].slice(0, this.#random.between(3, 5));
    const { time } = this;
    const network = this.#network;
    this.#homes = names.map((name) => {
      const clockOffsetMs = this.#random.between(-3, 3) * yearMs;
      const onMessage = (message: SimMessage) => this.#watch.sent(message);
      const ports = { time, network, random: random.fork(), onMessage };
      return new MemberHome({ name, clockOffsetMs, open, ...ports });
    });
    const rulesRandom = hasRules ? random.fork() : undefined;
    this.#offers = new SpaceOffers({ names: documents, homes: this.#homes, random: rulesRandom });
  }

  async run(): Promise<void> {
    const [ada, ...others] = this.#homes;
    this.#genesis = await createSpace({
      hash: testHash,
      random: this.#random,
      signer: ada!.signer,
      madeAt: { wallMs: 1, counter: 0 },
    });
    this.#watch = this.#offers.begin(this.#genesis.space);
    for (const home of this.#homes) await this.#open(home);
    for (const other of others) {
      const role = this.#random.pick(firstRoles);
      if (role === undefined) continue;
      await this.#act(ada!, () => ada!.grant(other.key, role), `grants ${other.name} ${role}`);
    }
    await this.advance(2_000);
    const steps = this.#random.between(15, 35);
    for (let step = 0; step < steps; step++) {
      await this.#step();
      await this.advance(this.#random.between(0, 1_500));
    }
    await this.#settle();
    if (this.#hasRules) await this.#raiseAll();
    await this.#reopenAll();
    for (const home of this.#homes) await home.close();
  }

  /** What is shown follows from records and log: everybody starts from the disk, alone, and shows the same. */
  async #reopenAll(): Promise<void> {
    for (const home of this.#homes) this.#setOnline(home, false);
    for (const home of this.#homes) {
      const before = await Promise.all(documents.map((name) => home.textOf(name)));
      await home.close();
      await this.#open(home);
      const after = await Promise.all(documents.map((name) => home.textOf(name)));
      if (before.join("/") === after.join("/")) continue;
      throw new BrokenPromise(`[MEM-8] ${home.name} shows something else after a restart`);
    }
  }

  /** Virtual time passes, and what it brings is done. */
  async advance(durationMs: number): Promise<void> {
    const untilMs = this.time.nowMs + durationMs;
    while (await this.time.step(untilMs)) await turn();
    await turn();
    this.counts.allowedLater = this.#watch.allowedLater;
    if (this.#watch.broken) throw new BrokenPromise(`[LIB-6] ${this.#watch.broken}`);
  }

  async #step(): Promise<void> {
    const home = this.#random.pick(this.#homes);
    const change = this.#hasRules && this.#random.chance(changeRatio) && this.#offers.change(home);
    if (change) return this.#note(home, change);
    const other = this.#random.pick(this.#homes);
    const chance = this.#random.fraction();
    if (chance < 0.45) return this.#write(home);
    if (chance < 0.6) {
      const role = this.#random.pick(roles);
      return this.#act(home, () => home.grant(other.key, role), `grants ${other.name} ${role}`);
    }
    if (chance < 0.72) {
      return this.#act(home, () => home.revoke(other.key), `removes ${other.name}`);
    }
    if (chance < 0.92) return this.#setOnline(home, !home.isOnline);
    this.counts.restarts++;
    this.#note(home, "restarts");
    await home.close();
    await this.#open(home);
  }

  async #write(home: MemberHome): Promise<void> {
    const name = this.#random.pick(documents);
    this.counts.edits++;
    await home.write(name);
    this.#note(home, `writes ${name}`);
  }

  async #act(home: MemberHome, act: () => Promise<boolean>, what: string): Promise<void> {
    const isDone = await act();
    this.counts[isDone ? "acts" : "refused"]++;
    this.#note(home, isDone ? what : `may not: ${what}`);
  }

  #setOnline(home: MemberHome, isOnline: boolean): void {
    this.#note(home, isOnline ? "returns" : "leaves");
    this.counts.absences += isOnline ? 0 : 1;
    if (!isOnline) this.#network.closeAllOf(home.machine);
    home.setOnline(isOnline);
    this.#network.heal();
    for (const away of this.#homes.filter((each) => !each.isOnline)) {
      for (const { name } of this.#homes) {
        this.#network.block(away.name, name);
        this.#network.block(name, away.name);
      }
    }
  }

  #open(home: MemberHome): Promise<void> {
    const dials = this.#homes.slice(0, this.#homes.indexOf(home));
    return home.open(this.#genesis.bytes, dials, this.#offers.mayOfferOf(home));
  }

  /** Everybody returns, and in the end everybody says the same. */
  async #settle(): Promise<void> {
    this.#network.faults = soundNetwork;
    for (const home of this.#homes) if (!home.isOnline) this.#setOnline(home, true);
    await this.#comeToRest();
  }

  /** Nobody comes or goes: what members were refused for their role comes all the same. */
  async #raiseAll(): Promise<void> {
    const isMember = ({ key }: MemberHome, role: MemberRole): boolean => {
      return this.#homes[0]!.membership.may(key, role);
    };
    const admin = this.#homes.find((home) => isMember(home, MemberRole.admin));
    for (const home of this.#homes.filter((each) => isMember(each, MemberRole.relay))) {
      if (!admin || isMember(home, MemberRole.admin)) continue;
      const act = () => admin.grant(home.key, MemberRole.admin);
      await this.#act(admin, act, `grants ${home.name} ${MemberRole.admin} in the end`);
    }
    await this.#comeToRest();
  }

  async #comeToRest(): Promise<void> {
    let difference: string | undefined;
    for (let second = 0; second < quietSecondsMax; second++) {
      if (second % 10 === 0) for (const home of this.#homes) home.retryNow();
      await this.advance(1_000);
      difference = await this.#difference();
      if (difference === undefined) return;
    }
    throw new BrokenPromise(difference);
  }

  async #difference(): Promise<string | undefined> {
    const shapes = this.#homes.map(({ membership }) => shapeOf(membership));
    const [ada] = this.#homes;
    const odd = shapes.findIndex((shape) => shape !== shapes[0]);
    if (odd >= 0) return `[MEM-5] ${this.#homes[odd]!.name} and ${ada!.name} know other members`;
    const { membership } = ada!;
    this.counts.removed = [...membership.members.values()].filter(
      ({ revokedBy }) => revokedBy.length > 0,
    ).length;
    const members = this.#homes.filter(({ key }) => membership.may(key, MemberRole.relay));
    for (const name of documents) {
      for (const group of this.#offers.groupsOf(name, members)) {
        const difference = await this.#differenceIn(name, group);
        if (difference !== undefined) return difference;
      }
    }
    return undefined;
  }

  /** Of a document, among those who exchange it. */
  async #differenceIn(
    name: DocumentName,
    members: readonly MemberHome[],
  ): Promise<string | undefined> {
    const views = await Promise.all(members.map((home) => this.#viewOf(home, name)));
    for (const [index, { home, counted }] of views.entries()) {
      const first = views[0]!;
      if (counted !== first.counted) {
        return `[MEM-7, MEM-8] ${home.name} and ${first.home.name} count other work in ${name}: ${counted} and ${first.counted}`;
      }
      const full = views.find(({ isWhole }) => isWhole);
      if (views[index]!.isWhole && views[index]!.text !== full!.text) {
        return `[MEM-8] ${home.name} and ${full!.home.name} show another ${name}`;
      }
    }
    return undefined;
  }

  /** What of a document counts here, what is shown, and whether nothing of its own does not count. */
  async #viewOf(
    home: MemberHome,
    name: DocumentName,
  ): Promise<{ home: MemberHome; counted: string; isWhole: boolean; text: string }> {
    const { membership } = home;
    const document = documentIdOf(testHash, this.#genesis.space, name);
    const counted: string[] = [];
    let isWhole = true;
    for (const [lane, { device, seq, soundSeq }] of await home.lanesOf(name)) {
      const allowed = Math.min(soundSeq, membership.allowedSeq({ device, document, lane }));
      if (allowed > 0) counted.push(`${lane.slice(0, 6)}/${allowed}`);
      if (device === home.key && membership.allowedSeq({ device, document, lane }) < seq) {
        isWhole = false;
      }
    }
    const text = await home.textOf(name);
    return { home, counted: counted.toSorted().join(" "), isWhole, text };
  }

  #note(home: MemberHome, what: string): void {
    this.trace.add(this.time.nowMs, home.name, what);
  }
}

function shapeOf({ members, records }: Membership): string {
  const inOrder = [...members.values()].toSorted((a, b) => (a.device < b.device ? -1 : 1));
  return JSON.stringify([inOrder, [...records].toSorted()]);
}

/** What was begun goes on until it waits for time: all of it is promises, none of it a real timer. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
