import { SeededRandom } from "./seeded-random.ts";

/**
 * One thing a person does. Places are relative (the cursor, a fraction of the text), so a script
 * depends on its seed alone while what it does to the text depends on what the others did.
 */
export type Action =
  | { readonly name: "type"; readonly text: string }
  | { readonly name: "erase" }
  | { readonly name: "cut"; readonly length: number }
  | { readonly name: "paste"; readonly text: string }
  | { readonly name: "move"; readonly fraction: number }
  | { readonly name: "pause"; readonly ms: number };

/** Two scripts, some beyond Latin-1, none above U+FFFF: an erase must not halve a character. */
const words =
  "the warp holds while every weft passes under over again slowly Kette Schuß für größere Öffnung łódź нить ткань 織物 経糸 shed".split(
    " ",
  );

/** Letters that slip in when a finger misses. */
const slips = [..."qwertyuiopasdfghjklzxcvbnm"];

/**
 * What one person does in `edits` edits (moves and pauses are free): writes words with now and then
 * a typo that is corrected at once, goes elsewhere, cuts, pastes, rests. A pure function of its
 * arguments.
 */
export function* personScript(seed: string, person: number, edits: number): Generator<Action> {
  const random = new SeededRandom(`${seed}/person/${person}`);
  let left = edits;
  while (left > 0) {
    for (const action of burst(random)) {
      const isEdit = action.name !== "move" && action.name !== "pause";
      if (isEdit && left-- <= 0) return;
      yield action;
    }
  }
}

/** What people do between two thoughts. */
function* burst(random: SeededRandom): Generator<Action> {
  const dice = random.fraction();
  if (dice < 0.78) yield* writeSentence(random);
  else if (dice < 0.86) yield { name: "cut", length: random.whole(1, 40) };
  else if (dice < 0.9) yield { name: "paste", text: phrase(random, random.whole(5, 40)) };
  else for (let count = random.whole(1, 12); count > 0; count--) yield { name: "erase" };

  if (random.chance(0.4)) yield { name: "pause", ms: random.whole(1, 15) };
  if (random.chance(0.3)) yield { name: "move", fraction: random.fraction() };
}

function* writeSentence(random: SeededRandom): Generator<Action> {
  for (let count = random.whole(1, 8); count > 0; count--) {
    for (const letter of random.pick(words)) {
      if (random.chance(0.03)) {
        yield { name: "type", text: random.pick(slips) };
        yield { name: "erase" };
      }
      yield { name: "type", text: letter };
    }
    yield { name: "type", text: random.chance(0.06) ? "\n" : " " };
  }
}

function phrase(random: SeededRandom, count: number): string {
  return Array.from({ length: count }, () => random.pick(words)).join(" ");
}
