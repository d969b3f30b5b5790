import {
  defineProjection,
  type Projection,
  type ProjectionDefinition,
  type RowValue,
} from "@heddle/reconcile";

import { lightEditOf, type LightContent } from "./memory-source.ts";

const add = (a: RowValue, b: RowValue) => (a as number) + (b as number);

const common = {
  version: 1,
  owner: "tests",
  partition: (name: string) => (name.startsWith("private") ? undefined : name.split("/")[0]),
  repair: "overwrite",
} as const;

export const sumsDefinition: ProjectionDefinition<LightContent> = {
  ...common,
  name: "sums",
  derive: (content) => content,
  combine: add,
  subtract: (total, part) => (total as number) - (part as number),
};

/** Totals that documents add to and take from. */
export const sums: Projection<LightContent> = defineProjection(sumsDefinition);

/** Totals from which nothing can be taken back. */
export const highest: Projection<LightContent> = defineProjection({
  ...common,
  name: "highest",
  derive: (content: LightContent) => content,
  combine: (a, b) => Math.max(a as number, b as number),
});

/** How many changes each name had, by the minute. */
export const rollup: Projection<LightContent> = defineProjection({
  ...common,
  name: "rollup",
  fold(change) {
    const minute = Math.floor(change.hlc.wallMs / 60_000);
    return Object.keys(lightEditOf(change)).map((name) => [`${minute} ${name}`, 1] as const);
  },
  combine: add,
  subtract: (total, part) => (total as number) - (part as number),
  buckets: { ms: 60_000, graceMs: 1_000 },
});

/** The last values of each name: of a document in the order in which they were written anywhere, documents by id. */
export const history: Projection<LightContent> = defineProjection({
  ...common,
  name: "history",
  order: "canonical",
  fold: (change) => {
    return Object.entries(lightEditOf(change)).map(([name, value]) => [name, [value]] as const);
  },
  combine: (a, b) => [...(a as RowValue[]), ...(b as RowValue[])].slice(-5),
});

export const lightProjections = [sums, highest, rollup, history];
