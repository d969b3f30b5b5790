// What every example here needs: a replica in a folder, and projections of it in another.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";

import { LogSource, ProjectionHost } from "@heddle/replica";
import { nodeEnvironment, openReplica } from "@heddle/replica/node";
import { openLevelProjectionStore, openLevelStore } from "@heddle/storage-level";

const ignore = () => undefined;
const silent = { debug: ignore, info: ignore, warn: ignore, error: ignore };

/** Opens a replica and runs `projections` over it, all of it in a folder that `close` removes. */
export async function openWorkspace(...projections) {
  const folder = await mkdtemp(path.join(tmpdir(), "heddle-projections-"));
  const environment = nodeEnvironment(silent);
  const log = await openLevelStore(path.join(folder, "replica"), { environment });
  const replica = await openReplica({ store: log });
  const { store } = await openLevelProjectionStore(path.join(folder, "projections"), {
    environment,
  });
  const source = new LogSource({ store: log, environment, access: replica.replica.access });
  const host = new ProjectionHost({ store, source, environment, projections });
  host.start();
  return {
    /** Changes a document and waits until the change is on the disk. */
    async edit(name, change) {
      const document = await replica.open(name);
      change(document.ydoc);
      await document.whenSaved();
      await document.close();
    },
    /** What a projection says of a key, once it has read all there is. */
    async read(projection, key) {
      await host.whenCaughtUp();
      return host.reader(projection).get("all", key);
    },
    /** All keys with what it says of them. */
    async list(projection) {
      await host.whenCaughtUp();
      return host.reader(projection).list("all", undefined, 100);
    },
    async close() {
      await host.close();
      await replica.close();
      await store.close();
      await log.close();
      await rm(folder, { recursive: true });
    },
  };
}
