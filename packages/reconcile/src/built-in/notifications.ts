import { defineProjection, type Projection } from "../define-projection.ts";
import type { RowValue } from "../row-value.ts";
import {
  beginningOf,
  commonOf,
  fieldsIn,
  keyIn,
  numberIn,
  textIn,
  type BuiltInOptions,
  type SharedTypes,
} from "./shared-types.ts";

export interface NotificationOptions extends BuiltInOptions {
  /** Array of `{ to, atMs, text }`. Default `notices`. */
  readonly notices?: string;
  /** Map of person → milliseconds up to which they have seen theirs. Default `seen`. */
  readonly seen?: string;
}

/** What a bell shows. */
export interface NotificationState {
  readonly unseen: number;
  /** The newest one that was not seen. */
  readonly latest: { readonly atMs: number; readonly text: string };
}

const textLengthMax = 240;

/**
 * What each person has not seen yet: how many, and the newest of them.
 *
 *   rows: person → {@link NotificationState}; nobody who has seen all
 */
export function notificationState(options: NotificationOptions): Projection<SharedTypes> {
  const { notices = "notices", seen = "seen" } = options;
  return defineProjection<SharedTypes>({
    ...commonOf(options),
    derive(content) {
      const seenUpTo = content.getMap(seen).toJSON();
      const states = new Map<string, RowValue>();
      for (const notice of content.getArray(notices).toJSON()) {
        const { to, atMs, text } = fieldsIn(notice);
        const person = keyIn(to);
        const at = numberIn(atMs);
        if (person === undefined || at === undefined) continue;
        if (at <= (numberIn(seenUpTo[person]) ?? -Infinity)) continue;
        const latest = { atMs: at, text: beginningOf(textIn(text) ?? "", textLengthMax) };
        const before = states.get(person);
        const one = { unseen: 1, latest };
        states.set(person, before === undefined ? one : combineStates(before, one));
      }
      return states;
    },
    combine: combineStates,
  });
}

function combineStates(a: RowValue, b: RowValue): RowValue {
  const [x, y] = [a, b] as unknown as NotificationState[];
  const isLater =
    x!.latest.atMs > y!.latest.atMs ||
    (x!.latest.atMs === y!.latest.atMs && x!.latest.text >= y!.latest.text);
  return { unseen: x!.unseen + y!.unseen, latest: { ...(isLater ? x! : y!).latest } };
}
