import {
  decodeHlc,
  encodeHlc,
  limits,
  readUint,
  type Attribution,
  type DocumentId,
} from "@heddle/core";
import * as decoding from "lib0/decoding";
import * as encoding from "lib0/encoding";

import type { Operation } from "./level-database.ts";
import { damaged } from "./record-codec.ts";
import { decodeRecord, encodeFields } from "./record-fields.ts";
import { numberOfKey } from "./parts-of-key.ts";
import { attributionKey, floorKey } from "./record-keys.ts";
import { putRecord } from "./records.ts";

/**
 * clients := (varUint client • varUint ranges • (varUint clock • varUint length)*)*
 *
 * Clients and clocks ascend.
 */
const AttributionTag = {
  toSeq: 1,
  envelopes: 2,
  firstHlc: 3,
  lastHlc: 4,
  clients: 5,
  principal: 6,
  correlationId: 7,
  reason: 8,
  isJoined: 9,
} as const;
const clientsBytesMax = 2 ** 31;

export function putAttribution(
  document: DocumentId,
  laneIx: number,
  attribution: Attribution,
): Operation {
  const { fromSeq, toSeq, envelopes, firstHlc, lastHlc, clients } = attribution;
  const fields = {
    [AttributionTag.toSeq]: toSeq,
    [AttributionTag.envelopes]: envelopes,
    [AttributionTag.firstHlc]: encodeHlc(firstHlc),
    [AttributionTag.lastHlc]: encodeHlc(lastHlc),
    [AttributionTag.clients]: clients.size > 0 ? encodeClients(clients) : undefined,
    [AttributionTag.principal]: attribution.principal,
    [AttributionTag.correlationId]: attribution.correlationId,
    [AttributionTag.reason]: attribution.reason,
    [AttributionTag.isJoined]: attribution.isJoined ? 1 : 0,
  };
  return putRecord(attributionKey(document, laneIx, fromSeq), encodeFields(fields));
}

export function readAttribution(
  key: Uint8Array,
  record: Uint8Array,
  lane: Attribution["lane"],
): Attribution {
  return decodeRecord(key, record, AttributionTag, (fields) => {
    const principal = fields.optionalBytes(AttributionTag.principal, limits.principalBytesMax);
    const correlationId = fields.optionalBytes(
      AttributionTag.correlationId,
      limits.correlationIdBytesMax,
    );
    const reason = fields.optionalBytes(AttributionTag.reason, limits.reasonBytesMax);
    return {
      lane,
      fromSeq: numberOfKey(key),
      toSeq: fields.uint(AttributionTag.toSeq),
      envelopes: fields.uint(AttributionTag.envelopes),
      firstHlc: decodeHlc(fields.bytes(AttributionTag.firstHlc, 8)),
      lastHlc: decodeHlc(fields.bytes(AttributionTag.lastHlc, 8)),
      clients: decodeClients(key, fields.optionalBytes(AttributionTag.clients, clientsBytesMax)),
      ...(principal && { principal }),
      ...(correlationId && { correlationId }),
      ...(reason && { reason }),
      isJoined: fields.uint(AttributionTag.isJoined) === 1,
    };
  });
}

const FloorTag = { seq: 1 } as const;

export function putFloor(document: DocumentId, laneIx: number, seq: number): Operation {
  return putRecord(floorKey(document, laneIx), encodeFields({ [FloorTag.seq]: seq }));
}

export function readFloor(key: Uint8Array, record: Uint8Array): number {
  return decodeRecord(key, record, FloorTag, (fields) => fields.uint(FloorTag.seq));
}

function encodeClients(clients: Attribution["clients"]): Uint8Array {
  const encoder = encoding.createEncoder();
  for (const [client, ranges] of [...clients].toSorted(([a], [b]) => a - b)) {
    encoding.writeVarUint(encoder, client);
    encoding.writeVarUint(encoder, ranges.length / 2);
    for (let index = 0; index < ranges.length; index += 2) {
      encoding.writeVarUint(encoder, ranges[index]!);
      encoding.writeVarUint(encoder, ranges[index + 1]! - ranges[index]!);
    }
  }
  return encoding.toUint8Array(encoder);
}

function decodeClients(key: Uint8Array, bytes: Uint8Array | undefined): Map<number, number[]> {
  const clients = new Map<number, number[]>();
  if (bytes === undefined) return clients;
  const decoder = decoding.createDecoder(bytes);
  while (decoding.hasContent(decoder)) {
    const client = readUint(decoder);
    const count = readUint(decoder);
    if (count > bytes.length) throw damaged(key, "it has more ranges than bytes");
    const ranges: number[] = [];
    for (let index = 0; index < count; index++) {
      const clock = readUint(decoder);
      ranges.push(clock, clock + readUint(decoder));
    }
    clients.set(client, ranges);
  }
  return clients;
}
