import { equalBytes } from "@heddle/core";

import { readDeviceRecord } from "./history-records.ts";
import { readable } from "./readable.ts";
import { isSealed } from "./record-codec.ts";
import { deviceKey } from "./record-keys.ts";
import { turnBackBit } from "./turn-back-bit.ts";

export interface RecordedDevice {
  /** Missing where the record is damaged, and not by one bit that makes it the key of now. */
  readonly publicKey: Uint8Array | undefined;
  readonly isWhole: boolean;
}

/**
 * The device key in a record, which proves a damaged one where it is the key of now.
 *
 * @throws HeddleError `HEDDLE_STORAGE_VERSION`.
 */
export function recordedDevice(record: Uint8Array, now: Uint8Array): RecordedDevice {
  if (isSealed(deviceKey, record)) {
    return { publicKey: readDeviceRecord(deviceKey, record), isWhole: true };
  }
  const isNow = (tried: Uint8Array): boolean => {
    const publicKey = readable(() => readDeviceRecord(deviceKey, tried));
    return publicKey !== undefined && equalBytes(publicKey, now);
  };
  return { publicKey: turnBackBit(deviceKey, record, isNow) && now, isWhole: false };
}
