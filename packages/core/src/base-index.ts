// What needs no log: for the part of a page that is there before its store. Bundlers that do not look through an index
// bring all that it names into every part that asks for one thing of it. Types cost nothing.
export * from "./assert.ts";
export * from "./bytes.ts";
export * from "./envelope-flag.ts";
export * from "./errors.ts";
export * from "./ids.ts";
export * from "./limits.ts";
export { spaceOfGenesis } from "./membership/space-of-genesis.ts";
export type * from "./index.ts";
