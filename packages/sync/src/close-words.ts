import { HeddleErrorCode } from "@heddle/core/base";
import { encodeUtf8 } from "lib0/string";

import { byeCodeOf } from "./bye-code.ts";

/** How a connection is ended on the wire of any transport: the two fields of a WebSocket's close. */
export interface CloseWords {
  readonly closeCode: number;
  /** The error's code, and what else there is to say behind a blank; at most 123 bytes of UTF-8. */
  readonly text: string;
}

/** A WebSocket's control frame has room for no more. */
const textBytesMax = 123;

const codes: ReadonlySet<string> = new Set(Object.values(HeddleErrorCode));

export function closeWordsOf(code: HeddleErrorCode, reason = ""): CloseWords {
  return { closeCode: byeCodeOf(code), text: shortened(`${code} ${reason}`.trimEnd()) };
}

/** What a peer's words mean. It may say what it likes: an unknown code is read from the number. */
export function readCloseWords({ closeCode, text }: CloseWords): {
  readonly code: HeddleErrorCode;
  readonly closeCode: number;
  readonly reason: string;
} {
  const [first = "", ...rest] = text.split(" ");
  if (!codes.has(first)) {
    return { code: codeOfCloseCode(closeCode), closeCode, reason: shortened(text) };
  }
  return { code: first as HeddleErrorCode, closeCode, reason: shortened(rest.join(" ")) };
}

/** The code behind a WebSocket close code that came without one. */
export function codeOfCloseCode(closeCode: number): HeddleErrorCode {
  switch (closeCode) {
    case 1002:
    case 1003:
    case 1007:
    case 4400:
      return HeddleErrorCode.frameMalformed;
    case 1009:
    case 4413:
      return HeddleErrorCode.frameTooLarge;
    case 1012:
      return HeddleErrorCode.relayDraining;
    case 1013:
      return HeddleErrorCode.relayOverloaded;
    case 4409:
      return HeddleErrorCode.laneForked;
    case 4426:
      return HeddleErrorCode.protocolVersion;
    default:
      return closeCode >= 4400 && closeCode <= 4499
        ? HeddleErrorCode.sessionRefused
        : HeddleErrorCode.sessionClosed;
  }
}

/** The code behind the HTTP status of a refused upgrade or request. */
export function codeOfStatus(status: number): HeddleErrorCode {
  switch (status) {
    case 401:
    case 403:
      return HeddleErrorCode.sessionRefused;
    case 426:
      return HeddleErrorCode.protocolVersion;
    case 413:
      return HeddleErrorCode.frameTooLarge;
    case 429:
    case 503:
      return HeddleErrorCode.relayOverloaded;
    default:
      return HeddleErrorCode.sessionClosed;
  }
}

/** Cut between characters. */
function shortened(text: string): string {
  let short = text.slice(0, textBytesMax);
  while (encodeUtf8(short).length > textBytesMax || /[\uD800-\uDBFF]$/.test(short)) {
    short = short.slice(0, -1);
  }
  return short;
}
