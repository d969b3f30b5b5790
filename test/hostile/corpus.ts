import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { gunzipSync } from "node:zlib";

import * as encoding from "lib0/encoding";
import * as Y from "yjs";

import { repositoryFolder } from "../processes/relay-process.ts";

const folder = path.join(repositoryFolder, "../shared/data");

/** False when the recorded data is not beside the project; in CI that is an error. */
export function isCorpusThere(): boolean {
  if (existsSync(folder)) return true;
  const message = `there is no recorded data in ${folder}`;
  if (process.env["CI"]) throw new Error(message);
  console.warn(`SKIPPED: ${message}`);
  return false;
}

/** What has to become of it: the sender is closed, it waits, it is taken, or only survived. */
export type HostileVerdict = "close" | "park" | "accept" | "ignore" | "any";

export interface HostileMessage {
  readonly id: string;
  readonly verdict: HostileVerdict;
  /** Whole y-websocket messages, sent one after the other on one connection. */
  readonly messages: readonly Uint8Array[];
}

interface Payload {
  readonly id: string;
  readonly format: string;
  readonly base64: string;
  readonly verdict: HostileVerdict;
}

/** The recorded payloads, as a client of the y-websocket protocol would send them. */
export function hostilePayloads(): HostileMessage[] {
  const file = path.join(folder, "hostile-updates.json");
  const { payloads } = JSON.parse(readFileSync(file, "utf8")) as { payloads: readonly Payload[] };
  return payloads.map(({ id, format, base64, verdict }) => {
    const bytes = Uint8Array.from(Buffer.from(base64, "base64"));
    const message = { sv: sync(0, bytes), aw: awareness(bytes) }[format] ?? sync(2, bytes);
    return { id, verdict, messages: [message] };
  });
}

/** A sync message of y-protocols: 0 step 1, 1 step 2, 2 update. */
export function sync(kind: number, body: Uint8Array): Uint8Array {
  return encoding.encode((encoder) => {
    encoding.writeVarUint(encoder, 0);
    encoding.writeVarUint(encoder, kind);
    encoding.writeVarUint8Array(encoder, body);
  });
}

export function awareness(body: Uint8Array): Uint8Array {
  return encoding.encode((encoder) => {
    encoding.writeVarUint(encoder, 1);
    encoding.writeVarUint8Array(encoder, body);
  });
}

interface Trace {
  readonly txns: readonly { readonly patches: readonly [number, number, string][] }[];
}

/** Real updates: the first `count` transactions of a recorded session, as its writer sent them. */
export function recordedUpdates(count: number): Uint8Array[] {
  const file = path.join(folder, "editing-traces/sveltecomponent.json.gz");
  const { txns } = JSON.parse(gunzipSync(readFileSync(file)).toString()) as Trace;
  const ydoc = Object.assign(new Y.Doc(), { clientID: 4_242 });
  const text = ydoc.getText("text");
  const updates: Uint8Array[] = [];
  ydoc.on("update", (update: Uint8Array) => updates.push(update));
  for (const { patches } of txns.slice(0, count)) {
    ydoc.transact(() => {
      for (const [at, deleted, inserted] of patches) {
        if (deleted > 0) text.delete(at, deleted);
        if (inserted !== "") text.insert(at, inserted);
      }
    });
  }
  return updates;
}
