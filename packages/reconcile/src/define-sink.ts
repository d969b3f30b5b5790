import { encodeUtf8 } from "lib0/string";

import { projectionInvalid } from "./projection-error.ts";
import { projectionLimits } from "./projection-limits.ts";
import type { SourceChange, SourceDocument } from "./projection-source.ts";
import { isPathPart } from "./record-path.ts";

/** What became of one attempt to hand a change to the outside. */
export type Delivery =
  | { readonly outcome: "delivered" }
  /** It may work later: the same change again, before any other of its document. */
  | { readonly outcome: "failed"; readonly reason: string }
  /** It never will: the change is kept as dead, and the next one follows. */
  | { readonly outcome: "refused"; readonly reason: string };

/**
 * What hands changes to the outside: a webhook, a queue, a mail. At least once: whoever takes them recognises a
 * repeat by the id of the change.
 */
export interface SinkDefinition {
  /** `[a-z][a-z0-9-]*`, at most 64. */
  readonly name: string;
  readonly owner: string;
  /** Which documents it looks at; default all. */
  readonly accepts?: (document: SourceDocument) => boolean;
  /** One attempt. A rejection counts as `failed`. */
  readonly deliver: (change: SourceChange, key: string) => Promise<Delivery>;
  /** Attempts for one change before it is kept as dead. From 1. */
  readonly attemptsMax?: number;
}

/** A definition that {@link defineSink} has found good. */
export interface Sink extends SinkDefinition {
  readonly accepts: (document: SourceDocument) => boolean;
  readonly attemptsMax: number;
}

/** With back-off and breaker, some hours. */
const attemptsMaxDefault = 100;

/** @throws HeddleError `HEDDLE_PROJECTION_INVALID`, which says what is wrong. */
export function defineSink(definition: SinkDefinition): Sink {
  const { name, owner, accepts = () => true, deliver } = definition;
  const { attemptsMax = attemptsMaxDefault } = definition;
  if (typeof name !== "string" || !/^[a-z][a-z0-9-]{0,63}$/.test(name)) {
    throw projectionInvalid(`sink ${String(name).slice(0, 80)}`, "a name is [a-z][a-z0-9-]*");
  }
  const isOwned = typeof owner === "string" && owner.trim() !== "" && isPathPart(owner);
  if (!isOwned || encodeUtf8(owner).length > projectionLimits.ownerBytesMax) {
    throw projectionInvalid(`sink ${name}`, "it has no owner of a few words");
  }
  if (typeof deliver !== "function" || typeof accepts !== "function") {
    throw projectionInvalid(`sink ${name}`, "deliver and accepts are functions");
  }
  if (!Number.isSafeInteger(attemptsMax) || attemptsMax < 1) {
    throw projectionInvalid(`sink ${name}`, "attemptsMax is a whole number from 1");
  }
  return Object.freeze({ ...definition, accepts, attemptsMax });
}
