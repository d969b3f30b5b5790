import path from "node:path";

import { kindPath } from "@heddle/reconcile";
import { LogSource, ProjectionHost } from "@heddle/replica";
import { nodeEnvironment, openReplica } from "@heddle/replica/node";
import {
  levelStore,
  openLevelProjectionStore,
  openLevelStore,
  type LevelProjectionStore,
} from "@heddle/storage-level";

import { likes } from "./likes-projection.ts";

const ignore = (): void => undefined;
/** Events of errors that were logged. */
export const toldErrors: string[] = [];
export const environment = nodeEnvironment({
  debug: ignore,
  info: ignore,
  warn: ignore,
  error: (event) => void toldErrors.push(event),
});

export const projectionsIn = (folder: string): string => path.join(folder, "projections");

/** Writes documents `post 0` to `post count - 1`, with two likes each. */
export async function writePosts(folder: string, count: number): Promise<void> {
  const replica = await openReplica({ store: levelStore(folder) });
  for (let index = 0; index < count; index++) {
    const document = await replica.open(`post ${index}`);
    document.ydoc.getMap("likes").set("ada", true);
    document.ydoc.getMap("likes").set("bo", true);
    await document.whenSaved();
  }
  await replica.close();
}

/** Follows the log of a folder to its end into the projection database beside it. */
export async function followPosts(
  folder: string,
  after: (store: LevelProjectionStore) => Promise<void> = async () => undefined,
): Promise<void> {
  const log = await openLevelStore(folder, { environment });
  const { store } = await openLevelProjectionStore(projectionsIn(folder), { environment });
  const source = new LogSource({ store: log, environment });
  const host = new ProjectionHost({ store, source, environment, projections: [likes] });
  host.start();
  await host.whenCaughtUp();
  await host.close();
  await after(store);
  await store.close();
  await log.close();
}

export const rowsOf = (store: LevelProjectionStore) =>
  store.readPage({ under: kindPath("row", { projection: "likes", number: 1 }), limit: 1_000 });
