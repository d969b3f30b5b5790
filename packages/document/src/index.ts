export { type Admission, admitUpdate } from "./admit-update.ts";
export { isRoutine, routineMax } from "./apply-risk.ts";
export { ClockRanges } from "./clock-ranges.ts";
export { contentBytes, contentProgram } from "./content-digest.ts";
export {
  type AppliedUpdate,
  type AttachedLog,
  type BindingOptions,
  DocumentBinding,
  type SealedEdits,
  sealWindow,
} from "./document-binding.ts";
export { DocumentKnowledge } from "./document-knowledge.ts";
export type { EditContext } from "./edit-segment.ts";
export { HeldClocks } from "./held-clocks.ts";
export { KnownAhead } from "./known-ahead.ts";
export type { KnownClocks } from "./known-clocks.ts";
export { mergeParsed } from "./merge-parsed.ts";
export { parseStored, parseUpdate, validatorVersion } from "./parse-update.ts";
export {
  type ClientDeletes,
  isEmptyUpdate,
  type ParsedUpdate,
  type StructRun,
} from "./parsed-update.ts";
export { digestState } from "./state-digest.ts";
export { decodeStateVector, encodeStateVector } from "./state-vector.ts";
export { ComparedRun } from "./struct-conflict.ts";
export { UpdateFold } from "./update-fold.ts";
export type { CrdtEngine, FoldOptions, LoadedDocument } from "./crdt-engine.ts";
export {
  clocksOfPending,
  digestsOf,
  suppressRemoteCleanup,
  yjsEngine,
  type ShownDigests,
} from "./yjs-engine.ts";
export { WorkBudget } from "./waiting-part.ts";
export { type FreedPart, WaitingUpdates } from "./waiting-updates.ts";
/** The Yjs document class: the one copy of Yjs that everybody has to use. */
export { Doc as YDoc } from "yjs";
