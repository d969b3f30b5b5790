import type { Environment } from "@heddle/core";
import type { YDoc } from "@heddle/document";
import type { Awareness } from "y-protocols/awareness";

import type { LiveHome } from "./document-home.ts";

/** Where a live document lives, and what the application brings to it. */
export interface LiveDocumentOptions {
  /** Where it lives. One that is still being opened is waited for: the document fails with it. */
  readonly home: LiveHome | PromiseLike<LiveHome>;
  readonly environment: Environment;
  readonly name: string;
  /** The application's own document. Without one there is a new one, which is replaced when need be. */
  readonly ydoc?: YDoc | undefined;
  /** Of that document, for an application that made its own. */
  readonly awareness?: Awareness | undefined;
  /** Origin of the transactions that bring what others wrote; one of its own by default. */
  readonly origin?: object | undefined;
}
