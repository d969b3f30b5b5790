import { HeddleErrorCode, type DocumentName } from "@heddle/core";
import { describe, expect, test } from "vitest";

import {
  definitionDigest,
  defineProjection,
  partitionOf,
  type ProjectionDefinition,
} from "./define-projection.ts";
import { nodeHash as hash } from "./hash.fixture.ts";

const likes: ProjectionDefinition = {
  name: "like-counts",
  version: 3,
  owner: "feed team",
  partition: (name) => name.split("/")[0],
  derive: () => [],
  combine: (a, b) => (a as number) + (b as number),
  repair: "overwrite",
};
const { derive: _, ...withoutDerive } = likes as ProjectionDefinition & { derive: unknown };
const fold = () => [];

describe("defineProjection", () => {
  test("takes a whole definition, which nobody changes afterwards", () => {
    const projection = defineProjection(likes);
    expect(projection).toMatchObject({ kind: "derive", version: 3, policyVersion: 1 });
    expect(Object.isFrozen(projection)).toBe(true);
    const folded = defineProjection({ ...withoutDerive, fold } as ProjectionDefinition);
    expect(folded).toMatchObject({ kind: "fold", order: "any" });
  });

  test.each([
    ["a name in capitals", { name: "Likes" }],
    ["a long name", { name: "x".repeat(65) }],
    ["no name", { name: undefined }],
    ["version 0", { version: 0 }],
    ["half a version", { version: 1.5 }],
    ["a policy version of text", { policyVersion: "2" }],
    ["nobody who owns it", { owner: " " }],
    ["an owner that is no text", { owner: 7 }],
    ["an owner of many bytes", { owner: "ü".repeat(65) }],
    ["no partition", { partition: undefined }],
    ["no combine", { combine: "sum" }],
    ["a subtract that is none", { subtract: 1 }],
    ["an unknown repair", { repair: "sometimes" }],
    ["both ways", { fold }],
    ["neither way", { derive: undefined }],
    ["an unknown order", { derive: undefined, fold, order: "newest" }],
    ["buckets of nothing", { fold, buckets: { ms: 0, graceMs: 0 } }],
    ["a negative grace", { fold, buckets: { ms: 10, graceMs: -1 } }],
    ["a canonical order that subtracts", { fold, order: "canonical", subtract: () => 0 }],
  ])("refuses %s", (_name, change) => {
    const isFold = "fold" in change && !("both ways" === _name);
    const definition = { ...(isFold ? withoutDerive : likes), ...change };
    if (isFold) delete (definition as { derive?: unknown }).derive;
    expect(() => defineProjection(definition as ProjectionDefinition)).toThrow(
      expect.objectContaining({ code: HeddleErrorCode.projectionInvalid }),
    );
  });
});

test("[PRJ-2] the digest of a definition changes with whatever changes its rows or who answers for them", () => {
  const base = likes;
  const others: ProjectionDefinition[] = [
    { ...likes, name: "likes" },
    { ...likes, version: 4 },
    { ...likes, policyVersion: 2 },
    { ...likes, owner: "others" },
    { ...likes, subtract: () => 0 },
    { ...withoutDerive, fold } as ProjectionDefinition,
    { ...withoutDerive, fold, order: "canonical" } as ProjectionDefinition,
    { ...withoutDerive, fold, buckets: { ms: 10, graceMs: 1 } } as ProjectionDefinition,
  ];
  const digests = [base, ...others].map((one) => definitionDigest(hash, defineProjection(one)));
  expect(new Set(digests).size).toBe(digests.length);
  const same = defineProjection({ ...likes, policyVersion: 1, combine: (a) => a });
  expect(definitionDigest(hash, same)).toBe(digests[0]);
  // Kept in markers on disks: another digest is another definition.
  expect(digests[0]).toBe("1d05ff796ec8688c036ec043b70ef0619b10542a1ded3b9fa82a1000bb06b3ec");
});

test("a partition is a short text or none", () => {
  expect(partitionGiven(undefined)()).toBeUndefined();
  expect(partitionGiven("")()).toBe("");
  for (const bad of [7, null, "a\0", "\ud800", "x".repeat(257)]) {
    expect(partitionGiven(bad)).toThrow(
      expect.objectContaining({ code: HeddleErrorCode.projectionInvalid }),
    );
  }
});

function partitionGiven(partition: unknown): () => string | undefined {
  const projection = defineProjection({ ...likes, partition: () => partition as string });
  return () => partitionOf(projection, "a/b" as DocumentName);
}
