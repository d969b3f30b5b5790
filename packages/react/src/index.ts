export { HeddleRoot, type HeddleRootProps } from "./heddle-root.ts";
export type { DocumentOptions, OpenDocument } from "./open-documents.ts";
export type { Trouble } from "./trouble.ts";
export { useAwareness, type AwarenessState, type Presence } from "./use-awareness.ts";
export { useDocument } from "./use-document.ts";
export { useArray, useContent, useMap, useText } from "./use-shared-type.ts";
export {
  useOutbox,
  useSaved,
  useStatus,
  useSynced,
  useTrouble,
  type ConnectionStatus,
} from "./use-status.ts";
export { useUndo, type Undo, type UndoScope } from "./use-undo.ts";
