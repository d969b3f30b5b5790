import type { Random } from "@heddle/core";

/** The `Random` port on the platform's own generator. */
export const platformRandom: Random = {
  bytes: (length) => crypto.getRandomValues(new Uint8Array(length)),
};
