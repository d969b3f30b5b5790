import type {
  DeviceKey,
  DocumentId,
  DocumentName,
  Environment,
  LaneId,
  LogStore,
  MemberRole,
  MembershipLog,
  Signer,
  Verifier,
  VersionVector,
} from "@heddle/core";
import type { Connection, Transport } from "@heddle/sync";

/** One document of a replica, as far as the simulation uses it. */
export interface MemberDocument {
  submit(update: Uint8Array, source: object): unknown;
  /** Yjs V1 update of all that is shown. */
  encodeSince(): Uint8Array;
  /** Lane → first seq that does not count, or builds on what does not. */
  readonly uncountedFrom: ReadonlyMap<LaneId, number>;
  whenSettled(): Promise<void>;
  whenDurable(): Promise<VersionVector>;
}

/** A replica of a space, as `openLiveReplica` of `@heddle/replica` opens one. */
export interface MemberReplica {
  readonly replica: {
    readonly members: { readonly log: MembershipLog } | undefined;
    readonly acts:
      | {
          grant(device: DeviceKey, role: MemberRole): Promise<unknown>;
          revoke(device: DeviceKey): Promise<unknown>;
        }
      | undefined;
    using<Value>(
      name: DocumentName,
      work: (document: MemberDocument) => Promise<Value>,
    ): Promise<Value>;
  };
  readonly peers:
    | {
        accept(connection: Connection): void;
        setOnline(isOnline: boolean): void;
        retryNow(): void;
        reviewOffers(): void;
      }
    | undefined;
  close(): Promise<void>;
}

/** Whether a peer is to have a document. */
export type MayOfferMember = (
  peer: { readonly device: DeviceKey; readonly role: MemberRole | undefined },
  document: { readonly id: DocumentId; readonly name: DocumentName },
) => boolean;

/** What such a replica is opened with. */
export interface MemberParts {
  readonly environment: Environment;
  readonly store: LogStore;
  readonly signer: Signer;
  readonly verifier: Verifier;
  readonly genesis: Uint8Array;
  readonly follow: boolean;
  readonly mayOffer?: MayOfferMember;
  readonly peers: readonly { readonly name: string; readonly transport: Transport }[];
  readonly release: () => Promise<void>;
}

/** `openLiveReplica`, handed in: the testkit is below the replica. */
export type OpenMember = (parts: MemberParts) => Promise<MemberReplica>;
