import { MemberRole, type DeviceKey, type DocumentName } from "@heddle/core";

import type { SimRandom } from "../sim-random.ts";

/** From what everybody may have to what nobody has a role for. */
const leastRoles = [
  MemberRole.relay,
  MemberRole.read,
  MemberRole.write,
  MemberRole.admin,
  MemberRole.admin + 1,
];

/** What the application of one device lets the others have: by document a least role, and some not at all. */
export class SimRule {
  readonly #random: SimRandom;
  readonly #leastRoles: Map<DocumentName, number>;
  readonly #kept = new Set<string>();

  /** `leastRoles`: what most devices of the space go by. */
  constructor(random: SimRandom, leastRoles: ReadonlyMap<DocumentName, number>) {
    this.#random = random;
    this.#leastRoles = new Map(leastRoles);
  }

  static drawLeastRoles(
    random: SimRandom,
    names: readonly DocumentName[],
  ): Map<DocumentName, number> {
    return new Map(names.map((name) => [name, random.pick(leastRoles)]));
  }

  /** It thinks otherwise of one of the others, or of all of them. */
  change(name: DocumentName, device: DeviceKey): string {
    if (this.#random.chance(0.5)) {
      const role = this.#random.pick(leastRoles);
      this.#leastRoles.set(name, role);
      return `lets ${role} and above have ${name}`;
    }
    const place = `${device}/${name}`;
    if (!this.#kept.delete(place)) this.#kept.add(place);
    return `${this.#kept.has(place) ? "keeps" : "gives"} ${device.slice(0, 6)} ${name}`;
  }

  lets(device: DeviceKey, role: MemberRole | undefined, name: DocumentName): boolean {
    if (role === undefined || this.#kept.has(`${device}/${name}`)) return false;
    return role >= this.#leastRoles.get(name)!;
  }
}
