// What captures and shows a document that is edited, without what folds and judges logs.
export { admitUpdate } from "./admit-update.ts";
export { DocumentBinding } from "./document-binding.ts";
export { DocumentKnowledge } from "./document-knowledge.ts";
export { parseStored } from "./parse-update.ts";
export { clocksOfPending, digestsOf } from "./yjs-engine.ts";
export { Doc as YDoc } from "yjs";
export type * from "./index.ts";
