import type { LogStore, Signer } from "@heddle/core";

/** Of a store that remembers which device writes it, as those on a disk do. */
export interface DeviceRecord {
  /**
   * Compares a key with the one on record, and records it. Another one is logged as
   * `store.device_changed`, and goes into the journal of the store.
   *
   * @returns whether another one was there: the replica is somebody else than before to its peers.
   */
  noteDevice(publicKey: Uint8Array): Promise<boolean>;
}

/**
 * Tells the store which device writes it from now on. Only of use for a key that is kept.
 *
 * @throws HeddleError as an append does.
 */
export async function noteDevice(
  store: LogStore & Partial<DeviceRecord>,
  { devicePublicKey }: Signer,
): Promise<void> {
  await store.noteDevice?.(devicePublicKey);
}
