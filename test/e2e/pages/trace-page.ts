// A person at a CodeMirror editor on HeddleProvider, who types what a recorded session says.
import { EditorState } from "@codemirror/state";
import { EditorView } from "@codemirror/view";
import { HeddleProvider } from "@heddle/client";
import { yCollab } from "y-codemirror.next";
import * as Y from "yjs";

import type { CharacterName, TypedAct, TypedStep } from "../typed-plan.ts";

/** Keys at once, before the page gets a turn for everything else. */
const keysPerTurn = 16;

let provider: HeddleProvider;
let view: EditorView;
let typed = 0;

const page = {
  /** Returns the Yjs client of this page. */
  async open(url: string, room: string): Promise<number> {
    const doc = new Y.Doc();
    provider = new HeddleProvider(url, room, doc);
    await provider.whenLoaded();
    const text = doc.getText("text");
    const extensions = [yCollab(text, provider.awareness)];
    const state = EditorState.create({ doc: text.toString(), extensions });
    view = new EditorView({ state, parent: document.body });
    return doc.clientID;
  },
  state() {
    const { doc, outbox, wsconnected } = provider;
    const shown = view.state.doc.toString();
    const isSame = shown === doc.getText("text").toJSON();
    return { typed, pending: outbox.pending, client: doc.clientID, shown, isSame, wsconnected };
  },
  /** @param clients the Yjs client of each agent */
  async play(steps: readonly TypedStep[], clients: readonly number[]): Promise<void> {
    for (const { needs, acts } of steps) {
      while (!needs.every((count, agent) => clockOf(clients[agent]!) >= count)) await turn();
      for (const act of acts) perform(act, clients);
      if (++typed % keysPerTurn === 0) await turn();
    }
  },
};

function perform(act: TypedAct, clients: readonly number[]): void {
  if ("erase" in act) {
    const places = act.erase.flatMap((name) => placeOf(name, clients)).toSorted((a, b) => a - b);
    const changes = places.map((from) => ({ from, to: from + 1 }));
    return view.dispatch({ changes, userEvent: "delete.backward" });
  }
  const from = act.behind === null ? 0 : placeBehind(act.behind, clients);
  const selection = { anchor: from + act.text.length };
  view.dispatch({ changes: { from, insert: act.text }, selection, userEvent: "input.type" });
}

function clockOf(client: number): number {
  return Y.getState(provider.doc.store, client);
}

/** None for a character that the other one has erased meanwhile. */
function placeOf([agent, number]: CharacterName, clients: readonly number[]): number[] {
  const id = Y.createID(clients[agent]!, number);
  if (Y.getItem(provider.doc.store, id).deleted) return [];
  return [absolute(id, 0)];
}

function placeBehind([agent, number]: CharacterName, clients: readonly number[]): number {
  return absolute(Y.createID(clients[agent]!, number), -1);
}

function absolute(id: Y.ID, assoc: number): number {
  const position = new Y.RelativePosition(null, null, id, assoc);
  return Y.createAbsolutePositionFromRelativePosition(position, provider.doc)!.index;
}

function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve));
}

export type TracePage = typeof page;
Object.assign(globalThis, { page, isReady: true });
