import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";

import * as Y from "yjs";

import { repositoryFolder } from "../processes/relay-process.ts";

/** The so-many-th character that an agent typed, from 0: its place may move, its name does not. */
export type CharacterName = readonly [agent: number, number: number];

/** What an agent does next, in names of characters: so it means the same, whatever came in between. */
export interface TypedStep {
  /** How many characters of each agent have to be here first. */
  readonly needs: readonly number[];
  readonly acts: readonly TypedAct[];
}

export type TypedAct =
  /** Behind a character, or at the beginning. */
  | { readonly behind: CharacterName | null; readonly text: string }
  | { readonly erase: readonly CharacterName[] };

export interface TypedPlan {
  readonly byAgent: readonly (readonly TypedStep[])[];
  /** The text that everybody ends with. */
  readonly endContent: string;
}

type Patch = readonly [position: number, deleteCount: number, typed: string];

/** A recorded session of several people, as in `shared/data`. */
interface Recording {
  readonly numAgents: number;
  readonly endContent: string;
  readonly txns: readonly {
    readonly agent: number;
    readonly parents: readonly number[];
    readonly patches: readonly Patch[];
  }[];
}

const file = join(repositoryFolder, "../shared/data/editing-traces/friendsforever.json.gz");

/** In CI missing data is a failure, not a reason to skip. */
export const isRecordingThere = existsSync(file) || process.env["CI"] !== undefined;

/** The first `count` transactions of two friends who write at once. */
export function typedPlan(count: number): TypedPlan {
  const { numAgents, txns } = JSON.parse(gunzipSync(readFileSync(file)).toString()) as Recording;
  const agents = Array.from({ length: numAgents }, (_, agent) => {
    const doc = new Y.Doc();
    doc.clientID = agent + 1;
    const updates: Uint8Array[] = [];
    return { doc, updates, heard: Array.from({ length: numAgents }, () => 0) };
  });
  const byAgent: TypedStep[][] = agents.map(() => []);
  /** How many transactions of each agent are in the state behind each transaction. */
  const states: (readonly number[])[] = [];
  for (const { agent, parents, patches } of txns.slice(0, count)) {
    const { doc, updates, heard } = agents[agent]!;
    for (const [other, known] of heard.entries()) {
      const past = Math.max(known, ...parents.map((parent) => states[parent]![other]!));
      if (other !== agent) {
        for (const update of agents[other]!.updates.slice(known, past)) Y.applyUpdate(doc, update);
      }
      heard[other] = past;
    }
    const needs = agents.map((_, other) => Y.getState(doc.store, other + 1));
    const before = Y.encodeStateVector(doc);
    byAgent[agent]!.push({ needs, acts: type(doc, patches) });
    updates.push(Y.encodeStateAsUpdate(doc, before));
    heard[agent] = updates.length;
    states.push([...heard]);
  }
  const merged = new Y.Doc();
  for (const { updates } of agents) for (const update of updates) Y.applyUpdate(merged, update);
  return { byAgent, endContent: merged.getText("text").toJSON() };
}

/** What the session ended with when it was recorded. */
export function recordedEnd(): string {
  return (JSON.parse(gunzipSync(readFileSync(file)).toString()) as Recording).endContent;
}

function type(doc: Y.Doc, patches: readonly Patch[]): TypedAct[] {
  const text = doc.getText("text");
  const acts: TypedAct[] = [];
  doc.transact(() => {
    for (const [position, erased, typed] of patches) {
      const names = Array.from({ length: erased }, (_, at) => nameAt(text, position + at));
      if (erased > 0) acts.push({ erase: names });
      text.delete(position, erased);
      const behind = position === 0 ? null : nameAt(text, position - 1);
      if (typed !== "") acts.push({ behind, text: typed });
      text.insert(position, typed);
    }
  });
  return acts;
}

function nameAt(text: Y.Text, position: number): CharacterName {
  const { item } = Y.createRelativePositionFromTypeIndex(text, position);
  if (item === null) throw new Error(`no character at ${position}`);
  return [item.client - 1, item.clock];
}
