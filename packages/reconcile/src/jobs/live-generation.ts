import type { Hash } from "@heddle/core";

import { definitionDigest, type Projection } from "../define-projection.ts";
import { generationPath, livePath, type GenerationId } from "../projection-layout.ts";
import { decodeGeneration, decodeLive } from "../projection-records.ts";
import type { ProjectionStore, RecordBytes } from "../projection-store.ts";
import { readOr } from "./read-or.ts";

/** The generation that is read, and whether a job may compare it. */
export interface LiveGeneration {
  readonly liveBytes: RecordBytes | undefined;
  readonly generation: GenerationId;
  /** Digest of the definition in hex. */
  readonly definition: string;
  readonly refusal: "not-built" | "other-definition" | undefined;
}

export async function readLive(
  store: ProjectionStore,
  hash: Hash,
  projection: Projection,
): Promise<LiveGeneration> {
  const definition = definitionDigest(hash, projection);
  const [liveBytes] = await store.get([livePath(projection.name)]);
  const number = readOr(liveBytes, decodeLive);
  const generation = { projection: projection.name, number: number ?? 0 };
  const about = { liveBytes, generation, definition };
  if (number === undefined) return { ...about, refusal: "not-built" };
  const [bytes] = await store.get([generationPath(generation)]);
  const record = readOr(bytes, decodeGeneration);
  if (record?.definition !== definition) return { ...about, refusal: "other-definition" };
  return { ...about, refusal: undefined };
}
