import { join } from "node:path";

import type { Environment } from "@heddle/core";

import type { LevelLogStore } from "./level-log-store.ts";
import type { LevelProjectionStore } from "./level-projection-store.ts";
import { openLevelStore, type LevelStoreOptions } from "./open-level-store.ts";
import { openLevelProjectionStore } from "./open-projection-store.ts";
import { projectionsFolderName } from "./store-layout.ts";

/** A store that is still to be opened: where it is, and how. */
export interface LevelStoreOpener {
  readonly directory: string;
  open(environment: Environment): Promise<LevelLogStore>;
  /** Opens the database of projections and sinks beside it; see {@link openLevelProjectionStore}. */
  openProjections(environment: Environment): Promise<LevelProjectionStore>;
}

/** The store in `directory`, for whoever opens it with an environment; see {@link openLevelStore}. */
export function levelStore(
  directory: string,
  options: Omit<LevelStoreOptions, "environment"> = {},
): LevelStoreOpener {
  return {
    directory,
    async open(environment) {
      const store = await openLevelStore(directory, { ...options, environment });
      // Whoever embeds it holds `store.opening` from here on: a rollback is told once.
      await store.openingTold();
      return store;
    },
    async openProjections(environment) {
      const folder = join(directory, projectionsFolderName);
      return (await openLevelProjectionStore(folder, { environment })).store;
    },
  };
}
