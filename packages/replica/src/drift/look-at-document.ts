import { equalBytes, logDigest, type DocumentId, type DocumentSurvey } from "@heddle/core";
import { withinMs } from "../within-ms.ts";
import {
  classifyDrift,
  type ContentDigests,
  type DriftEvidence,
  type DriftFinding,
} from "@heddle/reconcile";

import { verifyCheckpoint } from "../read-checkpoint.ts";
import type { Replica } from "../replica.ts";
import { isDamage } from "./audit-journal.ts";
import {
  foldDocument,
  type DocumentFold,
  type FoldedDocument,
  type FoldTools,
} from "./fold-document.ts";
import { findToLeaveOut } from "./leave-out.ts";
import { findSharedClients } from "./shared-clients.ts";
import type { LookTurns } from "./look-turns.ts";

export interface LookTools extends FoldTools {
  readonly replica: Replica;
  /** Looks come one after the other: each has a whole document in memory. */
  readonly turns: LookTurns;
}

/** What a peer said that it shows, and of which log. */
export interface HeardDigests extends ContentDigests {
  readonly log: Uint8Array;
}

/** One look at a document: what was found, and what it was found from. */
export interface DriftLook {
  readonly finding: DriftFinding | undefined;
  readonly survey: DocumentSurvey;
  /** Numbers of checkpoints that are not what they say, beside those that cannot be read. */
  readonly checkpointsWrong: readonly number[];
  /** Of the disk, put together anew; missing where it is damaged, or was not asked for. */
  readonly rebuilt: ContentDigests | undefined;
  /** Of what is shown: the first that differs from the disk, if one does. */
  readonly shown: ContentDigests | undefined;
}

export interface LookOptions {
  /** The records alone: nothing is folded. */
  readonly isShallow?: boolean;
  readonly theirs?: HeardDigests | undefined;
}

/** How long what is on its way to the disk is waited for: a store that fails meanwhile settles nothing. */
export const durableMsMax = 5_000;
/** Live edits move both sides of a comparison; after so many it is left for the next time. */
const comparisonsMax = 3;

/**
 * Looks at a document in all ways there are: its records one by one, what they add up to, with and
 * without the checkpoint, what is shown, and what a peer shows. Changes nothing.
 *
 * @returns `undefined` where nothing of it is here.
 * @throws HeddleError `HEDDLE_STORAGE_*`, but not for damage of the document: that is found.
 */
export function lookAtDocument(
  tools: LookTools,
  id: DocumentId,
  options: LookOptions = {},
): Promise<DriftLook | undefined> {
  return tools.turns.run(() => look(tools, id, options));
}

async function look(
  tools: LookTools,
  id: DocumentId,
  { isShallow = false, theirs }: LookOptions,
): Promise<DriftLook | undefined> {
  const { replica, store } = tools;
  const survey = await replica.access.reading(id, () => store.surveyDocument(id));
  if (survey === undefined) return undefined;
  const checkpointsWrong = await wrongCheckpoints(tools, survey);
  const { lost, ...records } = damagesIn(survey);
  let damages = records.damages + checkpointsWrong.length;
  const evidence: { -readonly [Key in keyof DriftEvidence]: DriftEvidence[Key] } = {
    logs: "unknown",
    hasGap: false,
    lacksDependency: false,
    damages,
    lost,
    forks: 0,
  };
  if (damages + lost === 0 && !isShallow) {
    const compared = await compare(tools, survey, theirs);
    if (compared === undefined) damages++;
    else Object.assign(evidence, compared);
  }
  const finding = classifyDrift({ ...evidence, damages });
  const { rebuilt, shown } = evidence;
  return { finding, survey, checkpointsWrong, rebuilt, shown };
}

/** What of a document cannot be read, and how many envelopes are gone without a record. */
export function damagesIn(survey: DocumentSurvey): { damages: number; lost: number } {
  let [holes, lost] = [0, 0];
  for (const lane of survey.lanes) {
    holes += lane.damaged;
    for (const { fromSeq, toSeq } of lane.holes) lost += toSeq - fromSeq + 1;
  }
  lost -= holes;
  const checkpoints = survey.checkpoints.filter(({ isWhole }) => !isWhole).length;
  const kept = Number(survey.isVectorLost) + Number(survey.entry === undefined);
  return { damages: holes + checkpoints + kept + survey.others.length, lost };
}

async function wrongCheckpoints(tools: LookTools, survey: DocumentSurvey): Promise<number[]> {
  const { store } = tools;
  // One that cannot be read hides all of them; it is counted by the survey.
  if (survey.checkpoints.some(({ isWhole }) => !isWhole)) return [];
  const wrong: number[] = [];
  for (const stored of await store.readCheckpoints(survey.document)) {
    try {
      await verifyCheckpoint(tools, stored);
    } catch (error) {
      if (!isDamage(error)) throw error;
      wrong.push(stored.number);
    }
  }
  return wrong;
}

type Compared = Partial<DriftEvidence>;

/** `undefined` where the log does not prove itself, although each of its records is what was written. */
async function compare(
  tools: LookTools,
  survey: DocumentSurvey,
  theirs: HeardDigests | undefined,
): Promise<Compared | undefined> {
  const { replica } = tools;
  const { document: id } = survey;
  const fold = (withCheckpoint: boolean): Promise<DocumentFold> =>
    replica.access.reading(id, () => foldDocument(tools, id, withCheckpoint));
  try {
    for (let comparison = 1; comparison <= comparisonsMax; comparison++) {
      const rebuilt = await fold(true);
      if (rebuilt === undefined) return {};
      const hasCheckpoint = survey.checkpoints.length > 0;
      if (rebuilt === "lacking") {
        const alone = hasCheckpoint ? await fold(false) : undefined;
        // Where the log alone is whole the checkpoint is what lacks it.
        return typeof alone === "object" ? undefined : { lacksDependency: true };
      }
      const shown = await shownOf(tools, id, rebuilt);
      if (shown === "moved") continue;
      const alone = hasCheckpoint ? await fold(false) : undefined;
      const refolded = typeof alone === "object" ? alone : undefined;
      const isSame = refolded === undefined || equalBytes(refolded.log, rebuilt.log);
      const isHeard = theirs !== undefined && equalBytes(theirs.log, rebuilt.log);
      const left = await replica.access.reading(id, () => findToLeaveOut(tools, id));
      return {
        shared: left.length,
        rebuilt: rebuilt.digests,
        ...shown,
        ...(refolded && isSame && { refolded: refolded.digests }),
        ...(isHeard && { theirs, logs: "equal" as const, forks: await forksOf(tools, id) }),
      };
    }
    return {};
  } catch (error) {
    if (isDamage(error)) return undefined;
    throw error;
  }
}

/** The first of what is shown that is not what the disk says; any one where all are. */
async function shownOf(
  { replica, environment }: LookTools,
  id: DocumentId,
  rebuilt: FoldedDocument,
): Promise<Pick<DriftEvidence, "shown" | "shownLacks" | "awaitsOthers"> | "moved"> {
  const loaded = replica.loaded(id);
  if (loaded === undefined) return {};
  await withinMs(environment.scheduler, loaded.whenDurable(), durableMsMax);
  const state = loaded.shown(true);
  if (state === undefined) return {};
  const { vector, digests: all, pending } = state;
  if (!equalBytes(logDigest(environment.hash, vector), rebuilt.log)) {
    return all.length + pending.length > 0 ? "moved" : {};
  }
  const shownLacks = pending.some((clocks) => {
    return [...rebuilt.clocks].some(([client, clock]) => (clocks.get(client) ?? 0) < clock);
  });
  // What is left out of the log is left out of what is shown: the name of the engine says the same.
  const { engine } = rebuilt.digests;
  const named = all.map(({ engine: own, state, content }): ContentDigests => {
    return { engine: engine.startsWith(own) ? engine : own, state, content };
  });
  const shown = named.find((one) => !isSame(one, rebuilt.digests)) ?? named[0];
  return { shown, shownLacks, awaitsOthers: pending.length > 0 };
}

function isSame(a: ContentDigests, b: ContentDigests): boolean {
  const isState = a.engine === b.engine && equalBytes(a.state, b.state);
  return isState && (!a.content || !b.content || equalBytes(a.content, b.content));
}

async function forksOf({ store, environment }: LookTools, id: DocumentId): Promise<number> {
  const forks = await store.readForks(id);
  return forks.length + (await findSharedClients({ store, environment }, id)).length;
}
