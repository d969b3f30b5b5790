export { HeddleRoot, type HeddleRootProps } from "./heddle-root.ts";
export type { OpenDocument } from "./open-documents.ts";
export { useAwareness, type Presence } from "./use-awareness.ts";
export { useDocument } from "./use-document.ts";
export { useArray, useMap, useText } from "./use-shared-type.ts";
export { useOutbox, useSaved, useStatus, useSynced, type ConnectionStatus } from "./use-status.ts";
export { useUndo, type Undo } from "./use-undo.ts";
