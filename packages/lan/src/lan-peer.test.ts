import { ManualTime } from "@heddle/testkit";
import { expect, test } from "vitest";

import { DeviceAllowance } from "./device-allowance.ts";
import { newLanCounters } from "./lan-counters.ts";
import { LanPeer, type OpenConnection } from "./lan-peer.ts";

function open(side: OpenConnection["side"], sinceMs: number): OpenConnection {
  return { connection: undefined as never, local: undefined, remote: undefined, side, sinceMs };
}

function kept(isOwnLower: boolean, ...connections: readonly OpenConnection[]): OpenConnection[] {
  const time = new ManualTime(0);
  const allowance = new DeviceAllowance({ clock: time, scheduler: time }, newLanCounters());
  const peer = new LanPeer({ fingerprint: "", name: "", tagKey: "", pairedMs: 0 }, allowance);
  peer.open = connections;
  const superfluous = peer.superfluous(isOwnLower);
  return connections.filter((each) => !superfluous.includes(each));
}

const dialed = open("dialed", 1_000);
const accepted = open("accepted", 1_500);

test("[LAN-8] of two that were dialed at once, both sides keep the same one", () => {
  // What one side dialed the other one accepted.
  expect(kept(true, dialed, accepted)).toEqual([dialed]);
  expect(kept(false, dialed, accepted)).toEqual([accepted]);
});

test("[LAN-8] an older one gives way to a newer one, whoever dialed", () => {
  const late = open("accepted", 60_000);
  expect(kept(true, dialed, late)).toEqual([late]);
  expect(kept(false, open("accepted", 0), open("dialed", 60_000))).toEqual([
    open("dialed", 60_000),
  ]);
  expect(kept(true, accepted)).toEqual([accepted]);
});
