import { Replication, type ReplicationOptions } from "@heddle/sync";

import type { SpaceMembers } from "../space/space-members.ts";
import { readKeptOutbox } from "./kept-outbox.ts";
import type { PeerHostOptions } from "./peer-host-options.ts";
import type { PeerNotes } from "./peer-notes.ts";

/** Who is a member is agreed on before anything else, and decides who is given the rest. */
function membersFirst(
  members: SpaceMembers,
): Required<Pick<ReplicationOptions, "first" | "standingOf">> {
  return { first: members.control, standingOf: (device) => members.standingOf(device) };
}

/**
 * The state machine of the wire, with what the store kept for it.
 *
 * @throws HeddleError `HEDDLE_STORAGE_*`.
 */
export async function openMachine(
  options: PeerHostOptions,
  notes: PeerNotes,
  asked: Pick<ReplicationOptions, "mayOpenNew" | "mayOffer">,
): Promise<Replication> {
  const { store, replica, environment, signer, drift } = options;
  // What is at rest is compared with peers as often as with its own log.
  const watched = drift && { digestAuditMs: drift.auditIntervalMs, laggingMs: drift.laggingMs };
  const limits = { ...watched, ...options.limits };
  const { role, engine, adopt, follow, hasOutbox } = options;
  const { devicePublicKey } = signer;
  const incarnations = await store.readIncarnations();
  const cursors = await notes.readCursors();
  const kept = hasOutbox ? await readKeptOutbox({ store, environment, devicePublicKey }) : {};
  const lastArrival = await store.readLastArrival();
  const machineOptions = {
    hash: environment.hash,
    random: environment.random,
    space: replica.space,
    store: store.storeId,
    incarnations,
    lastArrival,
    devicePublicKey,
    role,
    engine,
    adopt,
    follow,
    hasOutbox,
    ...asked,
    limits,
    ...(replica.members && membersFirst(replica.members)),
  };
  return new Replication(machineOptions, cursors, kept);
}
