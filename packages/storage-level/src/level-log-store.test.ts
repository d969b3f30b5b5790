import { describeLogStoreContract } from "@heddle/testkit";

import { openLevelStore } from "./open-level-store.ts";
import { temporaryFolder } from "./temporary-folder.fixture.ts";

describeLogStoreContract("LevelLogStore", async (environment) => {
  const { folder, remove } = await temporaryFolder();
  return {
    open: () => openLevelStore(folder, { environment }),
    dispose: remove,
  };
});
