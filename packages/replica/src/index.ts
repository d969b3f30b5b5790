export * from "./pending-updates.ts";
export * from "./recovery.ts";
export * from "./replica-counters.ts";
export * from "./replica-document.ts";
export * from "./replica.ts";
export * from "./walk-log.ts";
