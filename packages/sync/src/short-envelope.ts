import {
  encodeHlc,
  EnvelopeFlag,
  EnvelopeKind,
  envelopeVersion,
  malformed,
  PayloadCodec,
  readUint,
  tooNew,
  writeBytesField,
  writeUintField,
  type Envelope,
  type Hlc,
} from "@heddle/core";
import * as decoding from "lib0/decoding";
import * as encoding from "lib0/encoding";

/**
 * What nearly all envelopes are, in as few bytes: an update in codec 1, of no epoch and no schema, whose
 * optional fields are a source tag at most. A form, and what its bits say:
 *
 *   short := uint8 64 + bits • varUint ms since the lane was opened • [varUint counter]
 *            • [varUint length • source tag] • [signature 64] • payload
 */
export const shortFormMin = 64;
const Form = { signed: 1, viaGateway: 2, sourceTag: 4, counter: 8 } as const;
const formMax = shortFormMin + 15;
const signatureBytes = 64;
const wallMsMax = 2 ** 48 - 1;
const counterMax = 0xffff;

/** Tags of an envelope's fields; see `encodeEnvelope`. */
const Tag = { kind: 1, flags: 2, hlc: 8, codec: 11, payload: 12, sourceTag: 35, signature: 127 };

/** `undefined` where the short form has no room for something that may be in the envelope. */
export function shortForm(envelope: Envelope, openedAt: Hlc): Uint8Array | undefined {
  const { hlc, signature, sourceTag, flags } = envelope;
  const ms = hlc.wallMs - openedAt.wallMs;
  if (!isPlain(envelope) || ms < 0) return undefined;
  const encoder = encoding.createEncoder();
  const bits =
    (signature ? Form.signed : 0) |
    (flags === EnvelopeFlag.viaGateway ? Form.viaGateway : 0) |
    (sourceTag ? Form.sourceTag : 0) |
    (hlc.counter > 0 ? Form.counter : 0);
  encoding.writeUint8(encoder, shortFormMin + bits);
  encoding.writeVarUint(encoder, ms);
  if (hlc.counter > 0) encoding.writeVarUint(encoder, hlc.counter);
  if (sourceTag) encoding.writeVarUint8Array(encoder, sourceTag);
  if (signature) encoding.writeUint8Array(encoder, signature);
  encoding.writeUint8Array(encoder, envelope.payload);
  return encoding.toUint8Array(encoder);
}

function isPlain({ kind, flags, epoch, schema, codec, ...rest }: Envelope): boolean {
  const isUpdate = kind === EnvelopeKind.update && codec === PayloadCodec.yjsV1;
  const isFlagged = flags === 0 || flags === EnvelopeFlag.viaGateway;
  const { correlationId, principal, reason } = rest;
  return isUpdate && isFlagged && epoch + schema === 0 && !correlationId && !principal && !reason;
}

/** The bytes of the envelope before the fields of its place, and behind them. */
export interface EnvelopeParts {
  readonly head: Uint8Array;
  readonly tail: Uint8Array;
}

/**
 * What {@link shortForm} left out. The caller reads the envelope, and its fields with their bounds.
 *
 * @throws HeddleError `HEDDLE_FRAME_MALFORMED`, `HEDDLE_PROTOCOL_VERSION` for a form that is not known.
 */
export function partsOfShortForm(short: Uint8Array, openedAt: Hlc): EnvelopeParts {
  const bits = short[0]! - shortFormMin;
  if (short[0]! > formMax) throw tooNew("push", `an envelope of form ${short[0]!}`);
  const { hlc, sourceTag, signature, payload } = readShortForm(short, bits, openedAt);
  const head = encoding.createEncoder();
  encoding.writeUint8(head, envelopeVersion);
  encoding.writeUint8(head, envelopeVersion);
  writeUintField(head, Tag.kind, EnvelopeKind.update);
  writeUintField(head, Tag.flags, bits & Form.viaGateway ? EnvelopeFlag.viaGateway : 0);
  const tail = encoding.createEncoder();
  writeBytesField(tail, Tag.hlc, encodeHlc(hlc));
  writeUintField(tail, Tag.codec, PayloadCodec.yjsV1);
  writeBytesField(tail, Tag.payload, payload);
  if (sourceTag) writeBytesField(tail, Tag.sourceTag, sourceTag);
  if (signature) writeBytesField(tail, Tag.signature, signature);
  return { head: encoding.toUint8Array(head), tail: encoding.toUint8Array(tail) };
}

function readShortForm(short: Uint8Array, bits: number, openedAt: Hlc) {
  const decoder = decoding.createDecoder(short);
  try {
    decoding.readUint8(decoder);
    const wallMs = openedAt.wallMs + readUint(decoder);
    const counter = bits & Form.counter ? readUint(decoder) : 0;
    const isReading = wallMs <= wallMsMax && counter <= counterMax;
    // One envelope has one short form: a counter that is said is not 0.
    const isShortest = (bits & Form.counter) === 0 || counter > 0;
    if (!isReading || !isShortest) throw new RangeError("no reading of a clock");
    const sourceTag =
      bits & Form.sourceTag ? decoding.readUint8Array(decoder, readUint(decoder)) : undefined;
    const signature =
      bits & Form.signed ? decoding.readUint8Array(decoder, signatureBytes) : undefined;
    return {
      hlc: { wallMs, counter },
      sourceTag,
      signature,
      payload: decoding.readTailAsUint8Array(decoder),
    };
  } catch (cause) {
    throw malformed("push", "a short envelope is damaged", cause);
  }
}
