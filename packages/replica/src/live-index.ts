// What shows a document and captures what is typed, without the engine that keeps it: a page has this at once, and
// the rest when it is loaded.
export { connectPresence, type PresenceHost } from "./live/connect-presence.ts";
export { LiveDocument } from "./live/live-document.ts";
export { waitUntil, type WaitOptions } from "./wait-until.ts";
