import * as Y from "yjs";
import { noteMap, noteText } from "./note-content.ts";

export const welcomeNoteId = "welcome";

/**
 * Frozen, like the client id below. Two windows that meet an empty relay at the same moment both write this; the
 * same client, clock and content make it the same Yjs operation, so it exists once. Another wording under the
 * same client id would make replicas differ for ever: a new text needs a new client id.
 */
const welcomeTitle = "Welcome";
const welcomeText = `This note is shared. Open its address in a second window, or send it to somebody, and write here together. Every caret carries its writer's name.

A few things to try:

- Type in two windows at once, in the same line.
- Start a note of your own with "New note". Its title is the line above the text.
- Stop the relay, go on writing, start it again. Both windows end with the same text.

While the relay cannot be reached, your edits are kept on this device. They are sent when it answers, also after you closed the window.
`;
const welcomeClientId = 2;
/** Of earlier wordings. */
const earlierClientIds = [1];

export function addWelcomeText(ydoc: Y.Doc): void {
  applyOnce(ydoc, (welcome) => noteText(welcome).insert(0, welcomeText));
}

export function addWelcomeEntry(ydoc: Y.Doc): void {
  applyOnce(ydoc, (welcome) =>
    noteMap(welcome).set(welcomeNoteId, { title: welcomeTitle, createdAt: 0 }),
  );
}

function applyOnce(ydoc: Y.Doc, write: (welcome: Y.Doc) => void): void {
  const isThere = [welcomeClientId, ...earlierClientIds].some((client) => {
    return Y.getState(ydoc.store, client) > 0;
  });
  if (isThere) return;
  const welcome = new Y.Doc();
  welcome.clientID = welcomeClientId;
  write(welcome);
  Y.applyUpdate(ydoc, Y.encodeStateAsUpdate(welcome), welcomeNoteId);
  welcome.destroy();
}
