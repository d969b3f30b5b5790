import { Annotation, type Extension, type Range } from "@codemirror/state";
import {
  Decoration,
  ViewPlugin,
  WidgetType,
  type DecorationSet,
  type EditorView,
  type ViewUpdate,
} from "@codemirror/view";
import type { Awareness } from "y-protocols/awareness";
import * as Y from "yjs";
import { readPerson, type Person } from "./person.ts";

/**
 * Shows where the others write, and tells them where we do, in the `cursor` field of y-codemirror.next.
 *
 * Ours instead of theirs for three reasons: their caret keeps the old name after a rename, they put a peer's
 * colour into a style attribute unread, and the strings of a peer stay out of the text of the page here.
 */
export function remoteCarets(ytext: Y.Text, awareness: Awareness): Extension {
  return ViewPlugin.define((view) => new RemoteCarets(view, ytext, awareness), {
    decorations: (plugin) => plugin.decorations,
  });
}

const caretsMoved = Annotation.define<true>();

class RemoteCarets {
  decorations: DecorationSet;
  readonly #view: EditorView;
  readonly #ytext: Y.Text;
  readonly #awareness: Awareness;

  constructor(view: EditorView, ytext: Y.Text, awareness: Awareness) {
    this.#view = view;
    this.#ytext = ytext;
    this.#awareness = awareness;
    this.decorations = this.#draw(view.state.doc.length);
    awareness.on("change", this.#onAwareness);
  }

  update(update: ViewUpdate): void {
    if (update.selectionSet || update.docChanged || update.focusChanged) this.#publish(update);
    if (update.docChanged || update.transactions.some((tr) => tr.annotation(caretsMoved))) {
      this.decorations = this.#draw(update.state.doc.length);
    }
  }

  destroy(): void {
    this.#awareness.off("change", this.#onAwareness);
  }

  /** Our own caret changes inside an update of the view, where a dispatch is not allowed, and is not drawn here. */
  readonly #onAwareness = (change: Record<"added" | "updated" | "removed", number[]>): void => {
    const clientIds = [...change.added, ...change.updated, ...change.removed];
    if (clientIds.every((clientId) => clientId === this.#awareness.clientID)) return;
    this.#view.dispatch({ annotations: caretsMoved.of(true) });
  };

  #publish({ view, state }: ViewUpdate): void {
    if (!view.hasFocus) return;
    const { anchor, head } = state.selection.main;
    const cursor = { anchor: this.#toRelative(anchor), head: this.#toRelative(head) };
    const before = this.#awareness.getLocalState()?.["cursor"] as unknown;
    if (JSON.stringify(cursor) !== JSON.stringify(before))
      this.#awareness.setLocalStateField("cursor", cursor);
  }

  /** Tied to the character on the left, so that others who type at our caret do not push it along. */
  #toRelative(index: number): unknown {
    return Y.relativePositionToJSON(Y.createRelativePositionFromTypeIndex(this.#ytext, index, -1));
  }

  #draw(length: number): DecorationSet {
    const ranges: Range<Decoration>[] = [];
    for (const [clientId, state] of this.#awareness.getStates()) {
      const person =
        clientId === this.#awareness.clientID ? undefined : readPerson(clientId, state);
      const caret = person && readCaret(state["cursor"], this.#ytext);
      if (!person || !caret) continue;
      const [anchor, head] = [Math.min(caret.anchor, length), Math.min(caret.head, length)];
      const widget = new CaretWidget(person, JSON.stringify(state["cursor"]));
      ranges.push(Decoration.widget({ widget, side: -1 }).range(head));
      if (anchor === head) continue;
      const selection = Decoration.mark({ class: `remote-selection person-${person.hue}` });
      ranges.push(selection.range(Math.min(anchor, head), Math.max(anchor, head)));
    }
    return Decoration.set(ranges, true);
  }
}

class CaretWidget extends WidgetType {
  readonly #person: Person;
  /** Where the peer says it is. Drawing anew when that changes makes the name appear again for a moment. */
  readonly #place: string;

  constructor(person: Person, place: string) {
    super();
    this.#person = person;
    this.#place = place;
  }

  override eq(other: CaretWidget): boolean {
    const [a, b] = [this.#person, other.#person];
    return a.name === b.name && a.hue === b.hue && this.#place === other.#place;
  }

  /** The name is an attribute shown by the style sheet: the text of a line stays the text of the note. */
  override toDOM(): HTMLElement {
    const caret = document.createElement("span");
    caret.className = `remote-caret person-${this.#person.hue}`;
    caret.dataset["name"] = this.#person.name;
    caret.ariaHidden = "true";
    return caret;
  }
}

function readCaret(cursor: unknown, ytext: Y.Text): { anchor: number; head: number } | undefined {
  try {
    const { anchor, head } = cursor as Record<"anchor" | "head", unknown>;
    const [from, to] = [anchor, head].map((position) => {
      const relative = Y.createRelativePositionFromJSON(position);
      return Y.createAbsolutePositionFromRelativePosition(relative, ytext.doc as Y.Doc);
    });
    if (from?.type !== ytext || to?.type !== ytext) return undefined;
    return { anchor: from.index, head: to.index };
  } catch {
    return undefined; // A peer wrote it: a caret that cannot be read is a caret that is not drawn.
  }
}
