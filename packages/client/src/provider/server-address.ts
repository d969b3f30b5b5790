import {
  HeddleError,
  HeddleErrorCode,
  parseDocumentName,
  type DocumentName,
} from "@heddle/core/base";

/**
 * The address of a server as browsers read it where a WebSocket is made: `http` means `ws`, and what is relative is
 * so to the page. Without a slash at its end.
 *
 * @throws HeddleError `HEDDLE_CONFIG_INVALID` for what no WebSocket can be made to.
 */
export function serverAddress(serverUrl: string): string {
  const { location } = globalThis as { readonly location?: { readonly href: string } };
  if (URL.canParse(serverUrl, location?.href)) {
    const url = new URL(serverUrl, location?.href);
    url.protocol = url.protocol.replace("http", "ws");
    if (/^wss?:$/.test(url.protocol) && url.hash === "") return url.href.replace(/\/+$/, "");
  }
  throw new HeddleError(HeddleErrorCode.configInvalid, `${serverUrl} is no address of a server`);
}

/**
 * The document that y-websocket's clients meet in at a relay in the room of that name: a room is a part of an
 * address there, and is decoded, so that `a%20b` is the document "a b".
 *
 * @throws HeddleError `HEDDLE_FRAME_MALFORMED` when that cannot be the name of a document.
 */
export function documentOfRoom(roomname: string): DocumentName {
  return parseDocumentName(decoded(roomname));
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // A percent sign that encodes nothing, with which nobody else can get in.
  }
}
