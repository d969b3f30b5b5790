import type { FrameName } from "./frame-shapes.ts";

/** Frames that cost credit, and that may travel in parts. */
export const dataFrames: ReadonlySet<FrameName> = new Set([
  "lane",
  "push",
  "part",
  "fork",
  "ephemeral",
  "checkpointData",
]);
