import {
  toHex,
  type DocumentId,
  type EnvelopeContent,
  type LaneId,
  type LogFields,
  type RefusalNote,
  type StoreId,
} from "@heddle/core/base";

/**
 * Something that happened to edits that an application gave a correlation id. The same id appears at
 * every replica that the envelope reaches.
 */
export interface TracedStep {
  /** Typed here; put on disk where it was written; given to a peer; put on disk where it was received. */
  readonly name: "heddle.transact" | "heddle.commit" | "heddle.push" | "heddle.receive";
  /** 1 to 16 bytes. 16 that are not all zero are also a W3C trace id. */
  readonly correlationId: Uint8Array;
  /** In the application's words, with what could forge a line made visible. */
  readonly reason: string | undefined;
  readonly document: DocumentId | undefined;
  readonly lane: LaneId | undefined;
  readonly seq: number | undefined;
  /** Of a push: whose store it is for. */
  readonly peer?: StoreId;
  /** Wall time of its end, and how long it took. */
  readonly endedAtMs: number;
  readonly tookMs: number;
}

/** What is said about an envelope in log lines: nothing where the application said nothing. */
export function traceFieldsOf({
  correlationId,
  reason,
}: Pick<EnvelopeContent, "correlationId" | "reason">): LogFields {
  return {
    ...(correlationId && { correlationId: toHex(correlationId) }),
    ...(reason && { editReason: visibleReason(reason) }),
  };
}

/** The same, as a note on what was refused keeps it. */
export function traceNoteOf({
  correlationId,
  reason,
}: Pick<EnvelopeContent, "correlationId" | "reason">): Pick<
  RefusalNote,
  "correlationId" | "editReason"
> {
  return {
    // Copies: views of an envelope would keep all of its record.
    ...(correlationId && { correlationId: new Uint8Array(correlationId) }),
    ...(reason && { editReason: new Uint8Array(reason) }),
  };
}

/**
 * A reason as text on one line: bytes of a peer, and so of anybody. What controls a terminal, breaks a
 * line or changes its direction is written as an escape; what is no UTF-8, as U+FFFD.
 */
export function visibleReason(reason: Uint8Array): string {
  const text = new TextDecoder().decode(reason);
  return text.replaceAll(hidden, (character) => {
    return `\\u{${character.codePointAt(0)!.toString(16)}}`;
  });
}

/** Controls, format characters, line and paragraph separators. */
const hidden = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;
