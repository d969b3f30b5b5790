import { HeddleError, HeddleErrorCode, MemberRole } from "@heddle/core";
import { expect, test } from "vitest";

import { SpaceTrust, type SpaceTrustOptions } from "./space-trust.ts";

// Goal: what is wanted for one device does not wait for another one.

const device = (key: string) => ({ fingerprint: key, name: key, key, wanted: "write" });

test("[LAN-14] a device for which no record can be made holds nobody up, is said once, and tried again", async () => {
  const granted: string[] = [];
  const warned: string[] = [];
  let isFull = true;
  const members = {
    role: MemberRole.admin,
    membership: { members: new Map(), may: (key: string) => granted.includes(key) },
    onChange: () => () => undefined,
  };
  const acts = {
    grant: async (key: string) => {
      if (key === "first" && isFull) throw new HeddleError(HeddleErrorCode.storageFull, "full");
      granted.push(key);
    },
  };
  const logger = { warn: (event: string) => warned.push(event) };
  const trust = new SpaceTrust(
    {
      space: { members, acts },
      paired: { all: [device("first"), device("second")] },
      environment: { logger },
    } as unknown as SpaceTrustOptions,
    () => undefined,
  );
  const look = async (): Promise<void> => {
    trust.review();
    await new Promise((resolve) => setImmediate(resolve));
  };
  await look();
  await look();
  expect(granted).toEqual(["second"]);
  expect(warned).toEqual(["lan.space_failed"]);
  isFull = false;
  await look();
  expect(granted).toEqual(["second", "first"]);
  await trust.stop();
});
