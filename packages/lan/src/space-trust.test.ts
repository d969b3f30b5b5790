import { deviceKey, HeddleError, HeddleErrorCode, MemberRole } from "@heddle/core";
import { expect, test, vi } from "vitest";

import { newIdentity, pairedWith } from "./lan-site.fixture.ts";
import { SpaceTrust, type SpaceTrustOptions } from "./space-trust.ts";

// Goal: what is wanted for one device does not wait for another one.

const device = (key: string) => ({ fingerprint: key, name: key, key, wanted: "write" });

test("[LAN-14] devices for which no record can be made hold nobody up, are said once for each cause, and tried again", async () => {
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
      if (key === "second" && isFull) throw new HeddleError(HeddleErrorCode.storageIo, "broken");
      granted.push(key);
    },
  };
  const logger = { warn: (_event: string, { code }: { code: string }) => warned.push(code) };
  const trust = new SpaceTrust(
    {
      space: { members, acts },
      paired: { all: ["first", "second", "third"].map(device) },
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
  expect(granted).toEqual(["third"]);
  expect(warned).toEqual(["HEDDLE_STORAGE_FULL", "HEDDLE_STORAGE_IO"]);
  isFull = false;
  await look();
  expect(granted).toEqual(["third", "first", "second"]);
  await trust.stop();
});

test("[LAN-14] a removal reaches a device whose file an older heddle wrote, without its key", async () => {
  const identity = newIdentity();
  const key = deviceKey(identity.publicKey);
  const removed = { device: key, role: MemberRole.write, label: "", revokedBy: ["by an admin"] };
  const membership = {
    members: new Map<string, object>([
      ["0".repeat(64), {}],
      [key, removed],
    ]),
  };
  const members = { role: MemberRole.read, membership, onChange: () => () => undefined };
  const revoke = vi.fn<(fingerprint: string, revokedMs: number) => Promise<void>>();
  const onRevoked = vi.fn<() => void>();
  const paired = { all: [pairedWith(newIdentity()), pairedWith(identity)], revoke };
  const environment = { clock: { nowMs: () => 17 } };
  const options = { space: { members, acts: {} }, paired, environment };
  const trust = new SpaceTrust(options as unknown as SpaceTrustOptions, onRevoked);
  trust.review();
  await trust.stop();
  expect(revoke.mock.calls).toEqual([[identity.fingerprint, 17]]);
  expect(onRevoked).toHaveBeenCalledOnce();
});
