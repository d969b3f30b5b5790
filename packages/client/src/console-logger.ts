import type { Logger } from "@heddle/core";

import { silent } from "./silent-logger.ts";

/** What is wrong enough to be seen by whoever listens to no event. */
export const consoleLogger: Logger = {
  ...silent,
  error: (event, fields = {}) => console.error(`heddle: ${event}`, fields),
};
