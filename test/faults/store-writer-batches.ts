import { createHash } from "node:crypto";

/** What store-writer-program.ts writes and store-kill.test.ts looks for. */
export const documentNames = ["notes", "plans"] as const;
export const envelopesPerBatch = 6;

/** `batch index` and then noise that only this batch has, of a length that varies. */
export function payloadOf(batch: string, index: number): Uint8Array {
  const label = Buffer.from(`${batch} ${index}\n`);
  const noise = createHash("sha256").update(label).digest();
  const copies = 1 + (noise[0]! % 20);
  return Buffer.concat([label, ...Array.from({ length: copies }, () => noise)]);
}

/** The batch and index that a payload names, if it is whole. */
export function batchOf(payload: Uint8Array): { batch: string; index: number } | undefined {
  const text = Buffer.from(payload).toString("latin1");
  const [lane, number, index] = text.slice(0, text.indexOf("\n")).split(" ");
  const batch = `${lane} ${number}`;
  const isWhole = Buffer.compare(payloadOf(batch, Number(index)), payload) === 0;
  return isWhole ? { batch, index: Number(index) } : undefined;
}
