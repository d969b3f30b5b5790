import {
  decodeEnvelope,
  decodeGenesis,
  documentIdOf,
  HeddleError,
  HeddleErrorCode,
  verifyMembershipRecord,
  type LogStore,
  type SpaceId,
} from "@heddle/core";

import { readableDocuments } from "../peers/readable-documents.ts";
import type { ReplicaOptions } from "../replica-options.ts";
import { storeOfSpace } from "./member-recalls.ts";
import { SpaceMembers } from "./space-members.ts";

/** What of a replica's options says which space it is of. */
export type SpaceOptions = Pick<
  ReplicaOptions,
  "genesis" | "verifier" | "store" | "environment" | "history"
> & { readonly signer: Pick<ReplicaOptions["signer"], "devicePublicKey"> };

/** What a replica works with. */
export interface OpenSpace {
  /** `undefined` in the open space. */
  readonly members: SpaceMembers | undefined;
  /** The store as it is read from: without what does not count. */
  readonly store: LogStore;
}

/**
 * Reads who is a member, from the log. A replica without a genesis is in the open space.
 *
 * @throws HeddleError `HEDDLE_CONFIG_INVALID` for a store of another space, or for options that a space
 * does not have; `HEDDLE_STORAGE_*`; `HEDDLE_FRAME_MALFORMED` when the genesis is damaged.
 */
export async function openSpace(options: SpaceOptions): Promise<OpenSpace> {
  const { genesis: bytes, verifier, store, environment, signer, history } = options;
  if (bytes === undefined) return { members: undefined, store };
  const { hash } = environment;
  const genesis = decodeGenesis(hash, bytes);
  if (verifier === undefined) throw invalid("a space needs somebody who verifies signatures");
  if (!(await verifyMembershipRecord(genesis, verifier))) {
    throw invalid("the genesis of the space is signed by nobody");
  }
  if (history === "prune") throw invalid("documents of a space keep their history");
  await assertOfSpace(store, options, genesis.space);
  const members = new SpaceMembers({ genesis, hash, verifier, own: signer.devicePublicKey });
  for await (const lane of store.readLanes()) members.noteLane(lane);
  for await (const chunk of store.readLogByArrival(members.control.id)) {
    for (const each of chunk) members.learn(decodeEnvelope(hash, each.bytes));
  }
  // What counts has changed in documents to which nothing was written: who compares looks at all of them.
  members.onChange(() => store.moves?.begin());
  return { members, store: storeOfSpace(store, hash, members) };
}

/** The ids of documents follow from their space: one that does not fit belongs to another. */
async function assertOfSpace(
  store: LogStore,
  { environment: { hash } }: SpaceOptions,
  space: SpaceId,
): Promise<void> {
  // What is damaged says nothing about the space, and is reported when it is looked at.
  for await (const { id, name } of readableDocuments(store, () => {})) {
    if (documentIdOf(hash, space, name) === id) return;
    throw invalid("the store holds documents of another space");
  }
}

function invalid(message: string): HeddleError {
  return new HeddleError(HeddleErrorCode.configInvalid, message);
}

export type { SpaceMembers };
