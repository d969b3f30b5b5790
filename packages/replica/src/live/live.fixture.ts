import { decodeEnvelope, type Envelope, MemoryDisk, type MemoryLogStore } from "@heddle/core";
import * as Y from "yjs";

import { environment, openReplica, type OpenReplica } from "../replica.fixture.ts";
import type { ReplicaOptions } from "../replica-options.ts";
import { LiveDocument } from "./live-document.ts";

export interface LiveSetup extends OpenReplica {
  readonly disk: MemoryDisk;
  live(ydoc?: Y.Doc): LiveDocument;
}

export async function openLive(
  options: Partial<ReplicaOptions> = {},
  disk = new MemoryDisk(),
): Promise<LiveSetup> {
  const opened = await openReplica(disk, options);
  const { replica } = opened;
  const live = (ydoc?: Y.Doc) =>
    new LiveDocument({ home: { replica }, environment, name: "notes", ydoc });
  return { ...opened, disk, live };
}

/** What the disk holds of the only document, as a document that was loaded from it. */
export function onDisk(disk: MemoryDisk): Y.Doc {
  const doc = new Y.Doc();
  for (const { payload } of envelopesOn(disk)) Y.applyUpdate(doc, payload);
  return doc;
}

export function textOnDisk(disk: MemoryDisk): string {
  return onDisk(disk).getText("text").toJSON();
}

export function envelopesOn(disk: MemoryDisk): Envelope[] {
  const logs = [...disk.documents.values()].map(({ log }) => Array.from(log.values()).flat());
  return logs.flat().map((bytes) => decodeEnvelope(environment.hash, bytes));
}

/** Lets appends of envelopes through, holds them, or fails them. */
export function gate(store: MemoryLogStore): {
  hold(): void;
  open(): void;
  failOnce(error: Error): void;
  failWith: Error | undefined;
} {
  const append = store.append.bind(store);
  let held: Promise<void> | undefined;
  let release: (() => void) | undefined;
  let failNext: Error | undefined;
  const gate = {
    failOnce: (error: Error) => {
      failNext = error;
    },
    failWith: undefined as Error | undefined,
    hold: () => {
      held = new Promise((resolve) => {
        release = resolve;
      });
    },
    open: () => {
      release?.();
      held = undefined;
    },
  };
  store.append = async (batch) => {
    await held;
    const failure = failNext;
    failNext = undefined;
    if (failure) throw failure;
    if (gate.failWith) throw gate.failWith;
    return append(batch);
  };
  return gate;
}
