import { openReplica } from "@heddle/replica/node";
import type { Transport } from "@heddle/sync";

import type { PeeredRelay } from "../integration/peered-relay.ts";
import { memoryStore } from "../integration/relay-under-test.ts";
import { connect, synced, until } from "../integration/stock-client.ts";

/** A replica that writes over `transport` and a stock client that reads it, both from this machine. */
export async function honestPairWorks(
  { url }: PeeredRelay,
  transport: Transport,
  word: string,
): Promise<void> {
  const store = await memoryStore();
  const replica = await openReplica({ store, peers: [{ name: "relay", transport }] });
  using reader = connect(url, "notes");
  try {
    await synced(reader);
    const live = await replica.open("notes");
    live.ydoc.getText("text").insert(0, word);
    await until(() => reader.text.toString().includes(word), "the other one reads it");
  } finally {
    await replica.close();
    await store.close();
  }
}

/** How often a limit held somebody back. */
export function reached({ relay }: PeeredRelay, limit: string): number {
  return (relay.counters.limited as ReadonlyMap<string, number>).get(limit) ?? 0;
}
