import type { LanCounters, LanPeerView } from "@heddle/lan";
import type { PageDoorStatus } from "@heddle/relay";

import type { Exchange } from "./peer-progress.ts";

/** A paired device, and how the exchange with it stands; undefined where there is no session. */
export interface PeerRow extends LanPeerView {
  readonly exchange?: Exchange | undefined;
}

/** What `heddle peer` knows at one moment. */
export interface PeerPicture {
  readonly directory: string;
  readonly fingerprint: string;
  readonly port: number;
  readonly peers: readonly PeerRow[];
  /** Undefined while the store is not to be trusted. */
  readonly documents: number | undefined;
  readonly outbox: { readonly envelopes: number; readonly bytes: number };
  readonly trouble: string | undefined;
  /** Where browser pages come in, and the file that has their token; undefined where none may. */
  readonly pages?: (PageDoorStatus & { readonly tokenFile: string | undefined }) | undefined;
  readonly counters?: Readonly<LanCounters>;
}
