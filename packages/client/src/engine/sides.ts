// What is needed once a store is to be opened. Bundlers make a part of its own of it, which a page loads while it shows
// itself: capturing what is typed needs none of it.
export { MemoryDisk, MemoryLogStore } from "@heddle/core";
export { openLiveReplica } from "@heddle/replica";

export { TabReplica } from "../tabs/tab-replica.ts";
export { Keeper } from "./keeper.ts";
export { Standby } from "./standby.ts";
