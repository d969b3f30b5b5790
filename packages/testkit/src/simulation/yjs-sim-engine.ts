import { assert, toHex, type DocumentId, type LaneId } from "@heddle/core";
import {
  admitUpdate,
  DocumentKnowledge,
  parseUpdate,
  suppressRemoteCleanup,
  yjsEngine,
} from "@heddle/document";
import * as Y from "yjs";

import { testHash } from "../test-environment.ts";
import type { SimEngine } from "./sim-engine.ts";
import type { SimRandom } from "./sim-random.ts";

interface YjsDocument {
  readonly ydoc: Y.Doc;
  /** All that is accepted: as a replica decides what is complete. */
  knowledge: DocumentKnowledge;
  /** What {@link knowledge} adds up. */
  readonly accepted: Uint8Array[];
  readonly updates: Uint8Array[];
}

/** Text and map of real Yjs documents; completeness and digests are those of `@heddle/document`. */
export function yjsSimEngine(random: SimRandom): SimEngine {
  const documents = new Map<DocumentId, YjsDocument>();
  const at = (id: DocumentId) => {
    const document = documents.get(id) ?? newDocument();
    documents.set(id, document);
    return document;
  };
  return {
    edit(id, lane) {
      const document = at(id);
      const update = editOnce(document.ydoc, lane, random);
      document.knowledge.learn(parseUpdate(update));
      document.accepted.push(update);
      return update;
    },
    sealed({ document, payload }) {
      at(document).updates.push(payload);
    },
    accepts(run) {
      const document = at(run[0]!.document);
      const payloads = run.map(({ payload }) => payload);
      if (payloads.every((payload) => admits(document.knowledge, payload))) {
        document.accepted.push(...payloads);
        return true;
      }
      // Some of the run was learned: begin again without it.
      document.knowledge = new DocumentKnowledge();
      for (const payload of document.accepted) admits(document.knowledge, payload);
      return false;
    },
    apply({ document: id, payload }) {
      const { ydoc, knowledge, updates, accepted } = at(id);
      assert(admits(knowledge, payload), "a log holds causes before their effects");
      accepted.push(payload);
      Y.applyUpdate(ydoc, payload, "remote");
      updates.push(payload);
    },
    checkpoint(id) {
      const fresh = yjsEngine.fold(at(id).updates);
      const state = fresh.encodeState();
      fresh.destroy();
      return state;
    },
    adopt(id, state) {
      const { ydoc, knowledge, updates, accepted } = at(id);
      assert(admits(knowledge, state), "a checkpoint holds causes before their effects");
      accepted.push(state);
      Y.applyUpdate(ydoc, state, "remote");
      updates.push(state);
    },
    shows({ document, payload }) {
      const { admitted, parked } = admitUpdate(at(document).knowledge, parseUpdate(payload));
      return !admitted && !parked;
    },
    digest(id) {
      const { ydoc, updates } = at(id);
      const fresh = yjsEngine.fold(updates);
      assert(!fresh.hasPending, "nothing waits for what never came");
      const digest = toHex(fresh.digestS(testHash));
      fresh.destroy();
      const { text, map } = partsOf(ydoc);
      const shown = Object.entries(map.toJSON()).toSorted(([a], [b]) => (a < b ? -1 : 1));
      return JSON.stringify([digest, text.toDelta(), shown]);
    },
  };
}

function newDocument(): YjsDocument {
  const ydoc = new Y.Doc();
  suppressRemoteCleanup(ydoc);
  return { ydoc, knowledge: new DocumentKnowledge(), accepted: [], updates: [] };
}

/** Learns an update that is complete. */
function admits(knowledge: DocumentKnowledge, payload: Uint8Array): boolean {
  const { admitted, parked } = admitUpdate(knowledge, parseUpdate(payload));
  if (parked) return false;
  if (admitted) knowledge.learn(admitted);
  return true;
}

function partsOf(ydoc: Y.Doc) {
  return { text: ydoc.getText("text"), map: ydoc.getMap("map") };
}

/** One transaction of inserts, deletes, formats and map writes; the update that it made. */
function editOnce(ydoc: Y.Doc, lane: LaneId, random: SimRandom): Uint8Array {
  // One Yjs client belongs to one lane (I4).
  ydoc.clientID = Number.parseInt(lane.slice(0, 8), 16);
  const updates: Uint8Array[] = [];
  const keep = (update: Uint8Array): void => void updates.push(update);
  ydoc.on("update", keep);
  const { text, map } = partsOf(ydoc);
  ydoc.transact(() => {
    text.insert(random.between(0, text.length), random.pick(["a", "bc", "def", "ghij"]));
    if (random.chance(0.3)) {
      const at = random.between(0, text.length - 1);
      text.delete(at, random.between(1, Math.min(4, text.length - at)));
    }
    if (random.chance(0.2) && text.length > 0) {
      text.format(0, random.between(1, text.length), { bold: random.chance(0.5) || null });
    }
    if (random.chance(0.3)) map.set(random.pick(["a", "b"]), random.between(0, 99));
  });
  ydoc.off("update", keep);
  assert(updates.length === 1, "one transaction is one update");
  return updates[0]!;
}
