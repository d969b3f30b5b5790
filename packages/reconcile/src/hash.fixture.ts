import { createHash } from "node:crypto";

import type { Hash } from "@heddle/core";

export const nodeHash: Hash = {
  sha256: (bytes) => Uint8Array.from(createHash("sha256").update(bytes).digest()),
};
