import * as Y from "yjs";

import type { Captured } from "./footprint.ts";
import { capture } from "./footprint.ts";
import type { Action } from "./person-script.ts";
import type { StockClient } from "./stock-client.ts";

/** Plays a script in a client's own document, with a caret that others' edits push along. */
export class Person {
  readonly #client: StockClient;
  readonly #script: Iterator<Action>;
  #caret = 0;
  /** Where the caret was before others edited; unset while {@link #caret} is right. */
  #anchor: Y.RelativePosition | undefined;
  #restsUntilMs = 0;
  #isDone = false;

  constructor(client: StockClient, script: Iterator<Action>) {
    this.#client = client;
    this.#script = script;
    client.doc.on("beforeTransaction", ({ local }) => {
      if (!local) this.#anchor ??= Y.createRelativePositionFromTypeIndex(client.text, this.#caret);
    });
  }

  get isDone(): boolean {
    return this.#isDone;
  }

  get isResting(): boolean {
    return performance.now() < this.#restsUntilMs;
  }

  /** Does the next thing. Returns what it made, or nothing when the text did not change. */
  act(): Captured | undefined {
    const next = this.#script.next();
    if (next.done === true) {
      this.#isDone = true;
      return undefined;
    }
    this.#findCaret();
    const captured = this.#perform(next.value);
    return captured?.update === undefined ? undefined : captured;
  }

  #perform(action: Action): Captured | undefined {
    const { length } = this.#client.text;
    switch (action.name) {
      case "pause":
        this.#restsUntilMs = performance.now() + action.ms;
        return undefined;
      case "move":
        this.#caret = Math.floor(action.fraction * (length + 1));
        return undefined;
      case "type":
      case "paste":
        return this.#insert(action.text);
      case "erase":
        if (this.#caret === 0) return undefined;
        this.#caret--;
        return this.#delete(1);
      case "cut":
        return this.#delete(Math.min(action.length, length - this.#caret));
    }
  }

  #insert(text: string): Captured {
    const at = this.#caret;
    this.#caret += text.length;
    return capture(this.#client.doc, () => this.#client.text.insert(at, text));
  }

  #delete(length: number): Captured {
    return capture(this.#client.doc, () => this.#client.text.delete(this.#caret, length));
  }

  #findCaret(): void {
    if (this.#anchor === undefined) return;
    const found = Y.createAbsolutePositionFromRelativePosition(this.#anchor, this.#client.doc);
    this.#caret = found === null ? this.#client.text.length : found.index;
    this.#anchor = undefined;
  }
}
