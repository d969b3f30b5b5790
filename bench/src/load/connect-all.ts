/** Connections opened at the same time: enough to be quick, few enough for any listen backlog. */
const batchSize = 50;

/** Connects client after client, a batch at a time, and waits until each has had its first answer. */
export async function connectAll<T extends { whenSynced(): Promise<void> }>(
  count: number,
  connect: (index: number) => T,
): Promise<T[]> {
  const clients: T[] = [];
  while (clients.length < count) {
    const size = Math.min(batchSize, count - clients.length);
    const batch = Array.from({ length: size }, (_, index) => connect(clients.length + index));
    clients.push(...batch);
    await Promise.all(batch.map((client) => client.whenSynced()));
  }
  return clients;
}
