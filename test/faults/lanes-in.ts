import type { LaneId } from "@heddle/core";
import { openLevelStore } from "@heddle/storage-level";
import { testEnvironment } from "@heddle/testkit";

/** The last envelope of each lane in a folder that nobody has open, and how many there are. */
export async function lanesIn(folder: string) {
  const store = await openLevelStore(folder, { environment: testEnvironment("look") });
  const tops = new Map<LaneId, number>();
  const seen = new Set<string>();
  let envelopes = 0;
  for await (const { id } of store.readDocuments()) {
    for await (const chunk of store.readLog(id)) {
      for (const { lane, seq } of chunk) {
        tops.set(lane, Math.max(seq, tops.get(lane) ?? 0));
        seen.add(`${id} ${lane} ${seq}`);
        envelopes++;
      }
    }
  }
  const devices = new Map<LaneId, Uint8Array>();
  for await (const { id, devicePublicKey } of store.readLanes()) devices.set(id, devicePublicKey);
  await store.close();
  return { tops, devices, envelopes, distinct: seen.size };
}
