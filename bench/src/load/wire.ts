import * as encoding from "lib0/encoding";

/**
 * What a server speaks. Both carry the messages of y-protocols; hocuspocus puts the name of the document
 * in front of each, wants a token before anything else, and has a second number for a sync message that
 * is an answer.
 */
export type WireKind = "y-websocket" | "hocuspocus";

const hocuspocusAuth = 2;
const authToken = 0;
const syncReply = 4;

/** What every message about `document` begins with. */
export function prefixOf(wire: WireKind, document: string): Uint8Array {
  if (wire === "y-websocket") return new Uint8Array();
  return encoding.encode((encoder) => encoding.writeVarString(encoder, document));
}

/** What a client says first; nothing where it may begin at once. */
export function helloOf(wire: WireKind, document: string): Uint8Array | undefined {
  if (wire === "y-websocket") return undefined;
  return encoding.encode((encoder) => {
    encoding.writeVarString(encoder, document);
    encoding.writeVarUint(encoder, hocuspocusAuth);
    encoding.writeVarUint(encoder, authToken);
    encoding.writeVarString(encoder, "bench");
  });
}

export function isSync(wire: WireKind, type: number | undefined): boolean {
  return type === 0 || (wire === "hocuspocus" && type === syncReply);
}
