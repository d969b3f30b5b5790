import type { Environment, LogStore, Signer, Verifier } from "@heddle/core";
import type { PeerRole, SyncEvent, SyncLimits } from "@heddle/sync";

import type { DriftWatch } from "../drift/drift-watch.ts";
import type { Replica } from "../replica.ts";
import type { MayOffer } from "./offered-documents.ts";

/** What is shared with peers, and how much of it at a time. */
export interface PeerHostOptions {
  readonly replica: Replica;
  /** The store of that replica. */
  readonly store: LogStore;
  readonly environment: Environment;
  /** The device key: it signs greetings, and envelopes of this device when a peer asks for them. */
  readonly signer: Signer;
  readonly verifier: Verifier;
  readonly role: (typeof PeerRole)[keyof typeof PeerRole];
  /** Name and version, told to peers for diagnosis. */
  readonly engine: string;
  /** Take any document that a peer opens, not only those that this replica wants. */
  readonly adopt: boolean;
  /** Ask peers for everything they have. */
  readonly follow: boolean;
  /** Keep account of this device's envelopes that peers lack, over restarts. */
  readonly hasOutbox: boolean;
  /** Which peers are to have which documents. Default: whoever is a member has all. */
  readonly mayOffer?: MayOffer | undefined;
  readonly limits?: Partial<SyncLimits>;
  readonly onEvent?: (event: SyncEvent) => void;
  /** Who repairs documents that differ: without it nothing is compared, and what is damaged stays closed. */
  readonly drift?: DriftWatch | undefined;
}
