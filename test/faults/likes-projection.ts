import { defineProjection } from "@heddle/reconcile";
import type { Doc } from "yjs";

/** Each document is a partition, and its likes are one row. For a test and the program that it kills. */
export const likes = defineProjection<Doc>({
  name: "likes",
  version: 1,
  owner: "tests",
  partition: (name) => name,
  derive: (ydoc): [string, number][] => [["likes", ydoc.getMap("likes").size]],
  combine: (a, b) => Number(a) + Number(b),
  subtract: (a, b) => Number(a) - Number(b),
  repair: "overwrite",
});
