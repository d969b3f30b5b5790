import {
  documentIdOf,
  type DocumentId,
  type DocumentName,
  type MemberRole,
  type SpaceId,
} from "@heddle/core";

import { testHash } from "../../test-environment.ts";
import type { SimRandom } from "../sim-random.ts";
import type { MemberHome } from "./member-home.ts";
import type { MayOfferMember } from "./member-replica.ts";
import { OfferWatch } from "./offer-watch.ts";
import { SimRule } from "./sim-rule.ts";

export interface SpaceOffersParts {
  readonly names: readonly DocumentName[];
  readonly homes: readonly MemberHome[];
  /** What rules are drawn from; without it nobody has one. */
  readonly random: SimRandom | undefined;
}

/** Which device of a space lets which other one have what, and whether they keep to it. */
export class SpaceOffers {
  readonly #parts: SpaceOffersParts;
  readonly #rules = new Map<MemberHome, SimRule>();
  readonly #ids = new Map<DocumentId, DocumentName>();
  #watch: OfferWatch | undefined;

  constructor(parts: SpaceOffersParts) {
    this.#parts = parts;
    const { homes, names, random } = parts;
    if (random === undefined) return;
    const leastRoles = SimRule.drawLeastRoles(random, names);
    for (const home of homes) {
      const rule = new SimRule(random, leastRoles);
      this.#rules.set(home, rule);
      if (random.chance(0.4)) rule.change(random.pick(names), random.pick(homes).key);
    }
  }

  /** From here on what is said is read. */
  begin(space: SpaceId): OfferWatch {
    for (const name of this.#parts.names) this.#ids.set(documentIdOf(testHash, space, name), name);
    this.#watch = new OfferWatch([...this.#ids.keys()], (from, to, document) => {
      const [sender, receiver] = [this.#homeOf(from), this.#homeOf(to)];
      return this.#isLet(sender, receiver, this.#ids.get(document)!);
    });
    return this.#watch;
  }

  /** `undefined` in a space without rules. */
  mayOfferOf(home: MemberHome): MayOfferMember | undefined {
    const rule = this.#rules.get(home);
    return (
      rule &&
      (({ device, role }, { id, name }) => {
        const isLet = rule.lets(device, role, name);
        const other = this.#parts.homes.find(({ key }) => key === device);
        if (!isLet && other) this.#watch?.refused(home.name, other.name, id);
        return isLet;
      })
    );
  }

  /** Somebody changes its mind. Returns about what. */
  change(home: MemberHome): string | undefined {
    const { homes, names, random } = this.#parts;
    const what =
      random && this.#rules.get(home)!.change(random.pick(names), random.pick(homes).key);
    if (what) home.reviewOffers();
    return what;
  }

  /** Devices that exchange a document with each other, directly or by way of others. */
  groupsOf(name: DocumentName, homes: readonly MemberHome[]): readonly (readonly MemberHome[])[] {
    const groups: MemberHome[][] = [];
    for (const home of homes) {
      const isNear = (other: MemberHome): boolean => {
        return this.#isLet(home, other, name) && this.#isLet(other, home, name);
      };
      const near = groups.filter((group) => group.some(isNear));
      for (const group of near) groups.splice(groups.indexOf(group), 1);
      groups.push([...near.flat(), home]);
    }
    return groups;
  }

  #isLet(home: MemberHome, other: MemberHome, name: DocumentName): boolean {
    const role: MemberRole | undefined = home.membership.roleOf(other.key);
    const rule = this.#rules.get(home);
    return rule ? rule.lets(other.key, role, name) : role !== undefined;
  }

  #homeOf(name: string): MemberHome {
    return this.#parts.homes.find((home) => home.name === name)!;
  }
}
