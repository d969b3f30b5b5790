/** One thing that was looked at. What is not fine has a cause with a name, and something that can be done. */
export type LanFinding =
  | LanFine
  | (LanTrouble & { readonly check: LanCheck; readonly isFine: false });

export interface LanFine {
  readonly check: LanCheck;
  readonly isFine: true;
  readonly what: string;
  /** What may come in between all the same. */
  readonly advice?: string;
}

export interface LanTrouble {
  readonly cause: LanCause;
  readonly what: string;
  readonly advice: string;
}

export type LanCheck =
  | "interfaces"
  | "port"
  | "multicast"
  | "versions"
  | "paired"
  | "clock"
  | "device"
  | "pages";

/** For programs; docs/lan.md says what each means. */
export const lanCauses = [
  "no-address",
  "port-taken",
  "port-not-permitted",
  "multicast-port-taken",
  "no-multicast-route",
  "not-permitted",
  "multicast-swallowed",
  "discovery-failed",
  "other-version",
  "records-unreadable",
  "not-paired",
  "clock-behind",
  "clocks-apart",
  "not-found",
  "unreachable",
  "not-running",
  "not-trusted-there",
  "other-device",
  "not-heddle",
  "pages-not-running",
  "pages-not-secure",
] as const;
export type LanCause = (typeof lanCauses)[number];
