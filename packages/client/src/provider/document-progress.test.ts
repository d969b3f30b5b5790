import { HeddleErrorCode } from "@heddle/core/base";
import type { LiveDocument } from "@heddle/replica";
import { expect, test } from "vitest";

import type { SharedEngine } from "../engine/shared-engine.ts";
import type { Durability } from "../platform/platform.ts";
import { DocumentProgress } from "./document-progress.ts";

// Goal: "saved" waits for the tab that stores, also while more is typed here.

/** A tab beside the one that stores: its own memory has all, and the other one nothing yet. */
function besideTab() {
  const place: { durability: Durability | undefined } = { durability: undefined };
  const side = { isBeside: true, durabilityOf: () => place.durability };
  const status = { state: "saved", error: undefined, unsaved: 0 };
  const live = { status, whenSaved: async () => undefined };
  const progress = new DocumentProgress(
    { side } as unknown as SharedEngine,
    live as unknown as LiveDocument,
    "document" as never,
  );
  const asked = { outcome: "waits" };
  void progress.whenSaved({}).then(
    () => (asked.outcome = "saved"),
    (error: { code: string }) => (asked.outcome = error.code),
  );
  const look = async (): Promise<string> => {
    progress.changed();
    await new Promise((resolve) => setImmediate(resolve));
    return asked.outcome;
  };
  return { place, status, progress, look };
}

test("[CLT-5, CLT-7] what is typed meanwhile does not make it saved before the storing tab has it", async () => {
  const { place, status, look } = besideTab();
  expect(await look()).toBe("waits");
  status.state = "saving";
  expect(await look()).toBe("waits");
  status.state = "suspended";
  expect(await look()).toBe("waits");
  place.durability = "strict";
  expect(await look()).toBe("saved");
});

test("[CLT-5] what the storing tab has not when the provider is destroyed was not saved", async () => {
  const { progress, status, look } = besideTab();
  expect(await look()).toBe("waits");
  status.state = "closed";
  progress.end();
  expect(await look()).toBe(HeddleErrorCode.storageClosed);
});
