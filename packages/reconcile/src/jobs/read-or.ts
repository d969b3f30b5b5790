import type { RecordBytes } from "../projection-store.ts";

/** A record that does not read is a finding, and no error of the job. */
export function readOr<Value>(
  bytes: RecordBytes | undefined,
  decode: (bytes: Uint8Array) => Value,
): Value | undefined {
  if (bytes === undefined || bytes === "damaged") return undefined;
  try {
    return decode(bytes);
  } catch {
    return undefined; // Its checksum is right and its content is not: somebody wrote it.
  }
}
