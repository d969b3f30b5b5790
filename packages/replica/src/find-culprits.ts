import type { LogSelection, LogTrials, LogVerdict, SourceSummary } from "./log-trials.ts";

export type Findings =
  /** The log loads as it is. */
  | { readonly outcome: "sound" }
  /** It loads without these places. */
  | { readonly outcome: "blamed"; readonly culprits: ReadonlyMap<number, string> }
  /** It does not load, and nobody can be blamed for it beyond doubt. */
  | { readonly outcome: "unclear"; readonly reason: string };

type FailedVerdict = Exclude<LogVerdict, { readonly outcome: "ok" | "unknown" }>;

/** Envelopes that throw by themselves are found one after the other. */
const throwingMax = 32;
/** Sources that are looked at, the worst first; then as many groups of them behind one address. */
const partiesMax = 8;
/** Halvings of what a source wrote, to leave it as much as the document can bear. */
const halvingsMax = 5;
/** Of the budget, for what is left then: a document that only just loads would be audited again at once. */
const easeShare = 0.5;

/**
 * Finds the envelopes without which a log loads, by what leaving them out saves and never by what they
 * cost: in a crowd everybody pays, and the last one to come most of all.
 *
 * A source is to blame when what it wrote fails **by itself** (with no more than it builds on), and the
 * log is sound **without** it. Whoever only stands in a crowd passes the first test, and whoever is
 * small fails the second. Where no source, and no address, fits both, nobody is blamed.
 */
export async function findCulprits(trials: LogTrials): Promise<Findings> {
  const culprits = new Map<number, string>();
  for (let round = 0; round <= throwingMax; round++) {
    const verdict = await trials.attempt({ without: [...culprits.keys()] });
    if (verdict.outcome === "ok") {
      return culprits.size === 0 ? { outcome: "sound" } : { outcome: "blamed", culprits };
    }
    if (verdict.outcome === "unknown") return { outcome: "unclear", reason: verdict.reason };
    if (verdict.place === undefined) return new SourceSearch(trials, culprits, verdict).run();
    if (culprits.has(verdict.place)) break;
    culprits.set(verdict.place, `${verdict.outcome}: ${verdict.reason}`);
  }
  return { outcome: "unclear", reason: `more than ${throwingMax} envelopes fail` };
}

class SourceSearch {
  readonly #trials: LogTrials;
  readonly #culprits: Map<number, string>;
  readonly #without: readonly number[];
  readonly #reason: string;

  constructor(trials: LogTrials, culprits: Map<number, string>, verdict: FailedVerdict) {
    this.#trials = trials;
    this.#culprits = culprits;
    this.#without = [...culprits.keys()];
    this.#reason = `${verdict.outcome}: ${verdict.reason}`;
  }

  async run(): Promise<Findings> {
    const sources = await this.#trials.sources();
    const guilty = await this.#guilty(sources);
    if (guilty === undefined) {
      return { outcome: "unclear", reason: `${this.#reason}; no source of it is to blame` };
    }
    const removed = await this.#leastOf(guilty);
    const who = guilty.length === 1 ? `source ${guilty[0]!}` : `${guilty.length} sources`;
    for (const place of removed) this.#culprits.set(place, `${this.#reason}; ${who}`);
    return { outcome: "blamed", culprits: this.#culprits };
  }

  /** The fewest parties of which each fails by itself, and without which the log is sound. */
  async #guilty(sources: readonly SourceSummary[]): Promise<readonly string[] | undefined> {
    const suspects: Party[] = [];
    // One person with many connections: none of them is much, and the address is.
    for (const parties of [singlesOf(sources), groupsOf(sources)]) {
      for (const party of parties.slice(0, partiesMax)) {
        const alone = await this.#attempt({ onlySources: party });
        if (alone.outcome !== "ok" && alone.outcome !== "unknown") suspects.push(party);
      }
      if (suspects.length > 0 && (await this.#isSoundWithout(suspects.flat()))) {
        return this.#necessary(suspects);
      }
    }
    return undefined;
  }

  /** The smallest go first: who fails alone may still not be what breaks the whole. */
  async #necessary(suspects: readonly Party[]): Promise<readonly string[]> {
    let left = suspects;
    for (const suspect of suspects.toReversed()) {
      const others = left.filter((party) => party !== suspect);
      if (others.length > 0 && (await this.#isSoundWithout(others.flat()))) left = others;
    }
    return [...new Set(left.flat())];
  }

  async #isSoundWithout(sources: readonly string[]): Promise<boolean> {
    return (await this.#attempt({ withoutSources: sources })).outcome === "ok";
  }

  /**
   * As little of what they wrote as it takes: what others build on stays if it can, and as much of the
   * beginning as the document bears with ease.
   */
  async #leastOf(sources: readonly string[]): Promise<readonly number[]> {
    const kind = { withoutSources: sources, keepsNeeded: true };
    const gentle = await this.#attempt(kind);
    const selection = gentle.outcome === "ok" ? kind : { withoutSources: sources };
    const whole = gentle.outcome === "ok" ? gentle : await this.#attempt(selection);
    if (whole.outcome !== "ok") return [];
    let best = whole.removed;
    let sound = 0;
    let failing = best.length;
    for (let halving = 0; halving < halvingsMax && failing - sound > 1; halving++) {
      const middle = (sound + failing) >> 1;
      const keeping = { ...selection, keepsFirst: middle, budgetShare: easeShare };
      const verdict = await this.#attempt(keeping);
      if (verdict.outcome === "ok") {
        sound = middle;
        best = verdict.removed;
      } else failing = middle;
    }
    return best;
  }

  #attempt(selection: LogSelection): Promise<LogVerdict> {
    return this.#trials.attempt({ ...selection, without: this.#without });
  }
}

/** Sources that are looked at as one. */
type Party = readonly string[];

function singlesOf(sources: readonly SourceSummary[]): Party[] {
  return sources.map(({ source }) => [source]);
}

/** Those with more than one source, the largest first. */
function groupsOf(sources: readonly SourceSummary[]): Party[] {
  const groups = new Map<string, { party: string[]; structs: number }>();
  for (const { source, group, structs } of sources) {
    if (group === undefined) continue;
    const sum = groups.get(group) ?? { party: [], structs: 0 };
    sum.party.push(source);
    sum.structs += structs;
    groups.set(group, sum);
  }
  return [...groups.values()]
    .filter(({ party }) => party.length > 1)
    .toSorted((a, b) => b.structs - a.structs)
    .map(({ party }) => party);
}
