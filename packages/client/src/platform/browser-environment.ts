import type { Environment, Logger } from "@heddle/core";
import { sha256 } from "@noble/hashes/sha2.js";

import { platformRandom } from "../platform-random.ts";
import { timerScheduler } from "../timer-scheduler.ts";
import { streamCompression } from "./stream-compression.ts";

/** The ports of `@heddle/core` on what every browser has. */
export function browserEnvironment(logger: Logger): Environment {
  return {
    clock: { nowMs: () => Date.now(), monotonicMs: () => performance.now() },
    random: platformRandom,
    scheduler: timerScheduler,
    // The browser's own works asynchronously only, which costs more than it saves on short bytes.
    hash: { sha256: (bytes) => sha256(bytes) },
    compression: streamCompression,
    logger,
  };
}
