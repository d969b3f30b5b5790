import type { DocumentId, Envelope, LaneId } from "@heddle/core";
import { bytesOfId, laneId } from "@heddle/core";
import * as decoding from "lib0/decoding";
import * as encoding from "lib0/encoding";

import type { SimEngine } from "./sim-engine.ts";
import { checksum } from "./sim-trace.ts";

/**
 * A CRDT at its simplest: a set of changes, each of which names all that its writer had seen. So any
 * effect before its cause, any loss and any repetition shows at once, at a fraction of what Yjs costs.
 */
export function lightEngine(): SimEngine {
  const documents = new Map<DocumentId, LightDocument>();
  const at = (id: DocumentId) => {
    const document = documents.get(id) ?? { seen: new Map(), shown: new Map() };
    documents.set(id, document);
    return document;
  };
  return {
    edit: (id, lane) => encodeCauses(at(id).seen, lane),
    sealed({ document, lane, seq, payload }) {
      at(document).seen.set(lane, seq);
      show(at(document), lane, seq, payload);
    },
    accepts(run) {
      const { document, lane } = run[0]!;
      const { seen } = at(document);
      // Of its own lane a change names nothing, so the whole run can be looked at before any of it counts.
      const causes = run.flatMap(({ payload }) => decodeCauses(payload));
      if (causes.some(([cause, seq]) => (seen.get(cause) ?? 0) < seq)) return false;
      seen.set(lane, Math.max(run.at(-1)!.seq, seen.get(lane) ?? 0));
      return true;
    },
    apply({ document, lane, seq, payload }: Envelope) {
      at(document).seen.set(lane, Math.max(seq, at(document).seen.get(lane) ?? 0));
      show(at(document), lane, seq, payload);
    },
    checkpoint: (id) => encodeState(at(id)),
    adopt(id, state) {
      const { seen, shown } = at(id);
      for (const [lane, seq, sum] of decodeState(state)) {
        seen.set(lane, Math.max(seq, seen.get(lane) ?? 0));
        shown.set(`${lane}/${seq}`, shown.get(`${lane}/${seq}`) ?? sum);
      }
    },
    shows: ({ document, lane, seq }) => at(document).shown.has(`${lane}/${seq}`),
    digest(id) {
      return [...at(id).shown]
        .map(([place, sum]) => `${place}=${sum}`)
        .toSorted()
        .join(" ");
    },
    damage(id) {
      const [place] = at(id).shown.keys();
      if (place !== undefined) at(id).shown.set(place, `${at(id).shown.get(place)}?`);
      return place !== undefined;
    },
    forget: (id) => void documents.delete(id),
  };
}

interface LightDocument {
  readonly seen: Map<LaneId, number>;
  /** Lane and seq to what was written there, and how often. */
  readonly shown: Map<string, string>;
}

function show({ shown }: LightDocument, lane: LaneId, seq: number, payload: Uint8Array): void {
  const place = `${lane}/${seq}`;
  shown.set(place, `${shown.get(place) ?? ""}+${checksum(payload)}`);
}

function encodeState({ shown }: LightDocument): Uint8Array {
  return encoding.encode((encoder) => {
    encoding.writeVarUint(encoder, shown.size);
    for (const [place, sum] of shown) {
      const [lane, seq] = place.split("/");
      encoding.writeVarString(encoder, lane!);
      encoding.writeVarUint(encoder, Number(seq));
      encoding.writeVarString(encoder, sum);
    }
  });
}

function decodeState(state: Uint8Array): [LaneId, number, string][] {
  const decoder = decoding.createDecoder(state);
  const count = decoding.readVarUint(decoder);
  return Array.from({ length: count }, () => {
    const lane = decoding.readVarString(decoder) as LaneId;
    const seq = decoding.readVarUint(decoder);
    return [lane, seq, decoding.readVarString(decoder)];
  });
}

/** What was seen of other lanes; that a lane has no gaps is not the content's business. */
function encodeCauses(seen: ReadonlyMap<LaneId, number>, own: LaneId): Uint8Array {
  const causes = [...seen].filter(([lane]) => lane !== own);
  return encoding.encode((encoder) => {
    encoding.writeVarUint(encoder, causes.length);
    for (const [lane, seq] of causes) {
      encoding.writeUint8Array(encoder, bytesOfId(lane));
      encoding.writeVarUint(encoder, seq);
    }
  });
}

function decodeCauses(payload: Uint8Array): [LaneId, number][] {
  const decoder = decoding.createDecoder(payload);
  const count = decoding.readVarUint(decoder);
  return Array.from({ length: count }, () => {
    const lane = laneId(decoding.readUint8Array(decoder, 16));
    return [lane, decoding.readVarUint(decoder)];
  });
}
