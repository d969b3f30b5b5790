import path from "node:path";

import { nodeEnvironment } from "@heddle/replica/node";
import { afterEach, beforeEach, expect, test } from "vitest";

import { announcedText } from "./announcement-tags.ts";
import { bonjourDiscovery } from "./bonjour-discovery.ts";
import { diagnoseLan, type LanFinding } from "./diagnose-lan.ts";
import type { PacketSocket } from "./guarded-socket.ts";
import { KnownAddresses } from "./known-addresses.ts";
import { newLanCounters } from "./lan-counters.ts";
import { LanSite, MuteServer, newIdentity, pairedWith } from "./lan-site.fixture.ts";
import { MemorySegment } from "./memory-segment.fixture.ts";

// Goal: whoever asks why devices do not find each other is told the cause.
// Method: each cause is made, on a segment in memory and with real sockets on loopback.

const ignore = (): void => undefined;
const { clock, scheduler } = nodeEnvironment({
  debug: ignore,
  info: ignore,
  warn: ignore,
  error: ignore,
});

let site: LanSite;
let segment: MemorySegment;
beforeEach(async () => {
  site = await LanSite.open();
  segment = new MemorySegment();
});
afterEach(() => site.dispose());

interface Circumstances {
  readonly hosts?: readonly string[];
  readonly socket?: (socket: PacketSocket) => PacketSocket;
  readonly fixed?: readonly { readonly host: string; readonly port: number }[];
}

/** As `guest` sees it, who is paired with `host`: its own list is that of the site. */
async function diagnose(made: Circumstances = {}): Promise<readonly LanFinding[]> {
  const { hosts = ["10.0.0.1"], socket, fixed = [] } = made;
  const newSocket = () => {
    const plain = segment.socketAt("10.0.0.1");
    return socket ? socket(plain) : plain;
  };
  return diagnoseLan({
    identity: site.guest,
    paired: site.paired,
    addresses: new KnownAddresses(path.join("nowhere", "addresses.json"), fixed),
    newDiscovery: () => bonjourDiscovery({ clock, counters: newLanCounters(), newSocket }),
    clock,
    scheduler,
    hosts,
    listenMs: 150,
    knockMsMax: 500,
  });
}

function fixedAt(port: number): Circumstances {
  return { fixed: [{ host: "127.0.0.1", port }] };
}

function of(findings: readonly LanFinding[], check: LanFinding["check"]): LanFinding {
  return findings.find((finding) => finding.check === check)!;
}

/** A socket whose packets end in that error, or nowhere. */
function sendingTo(code: string | undefined): (socket: PacketSocket) => PacketSocket {
  const error = code === undefined ? null : Object.assign(new Error(code), { code });
  const send = (...given: unknown[]) => (given.at(-1) as (outcome: Error | null) => void)(error);
  return (socket) => Object.assign(socket, { send });
}

test("[LAN-10] says that all is well, where it is", async () => {
  await site.paired.remove(site.guest.fingerprint);
  await site.paired.add(pairedWith(site.host, "Ada"));
  const findings = await diagnose({ fixed: [{ host: "127.0.0.1", port: site.port }] });
  expect(findings.filter(({ isFine }) => !isFine)).toEqual([]);
  expect(of(findings, "device").what).toContain("Ada");
});

test.each([
  ["no address of this machine", { hosts: [] }, "interfaces", /no interface/],
  [
    "no multicast route",
    { socket: sendingTo("ENETUNREACH") },
    "multicast",
    /no route for multicast/,
  ],
  ["a firewall", { socket: sendingTo("EPERM") }, "multicast", /does not allow/],
  ["a device that nobody can find", {}, "device", /not announced/],
  ["nobody at an address", { fixed: [{ host: "127.0.0.1", port: 1 }] }, "device", /nobody listens/],
] as const)("[LAN-10] names %s", async (_cause, made, check, words) => {
  const finding = of(await diagnose(made), check);
  expect(finding).toMatchObject({ isFine: false, advice: expect.stringMatching(/\w/) });
  expect(finding.what).toMatch(words);
});

test("[LAN-10] names multicast that is swallowed", async () => {
  expect(of(await diagnose({ socket: sendingTo(undefined) }), "multicast")).toMatchObject({
    isFine: false,
    what: expect.stringContaining("does not come back"),
  });
});

test("[LAN-10] names another device at an address, and one that says nothing", async () => {
  const mute = await MuteServer.start();
  // The list names the guest; who listens there is the host.
  expect(of(await diagnose(fixedAt(site.port)), "device").what).toContain(
    "a device that is not paired",
  );
  expect(of(await diagnose(fixedAt(mute.port)), "device").what).toContain("does not answer");
  await mute.close();
});

test("[LAN-10] names devices of another version, and records and clocks that are wrong", async () => {
  const silent = { onSeen: ignore, onGone: ignore, onTrouble: ignore };
  const text = { ...announcedText(newIdentity(), [], "00".repeat(8)), v: "2" };
  const newer = bonjourDiscovery({
    clock,
    counters: newLanCounters(),
    newSocket: () => segment.socketAt("10.0.0.7"),
  }).start({ instance: "newer", port: 1, text }, silent);
  await site.paired.remove(site.guest.fingerprint);
  expect(of(await diagnose(), "paired").what).toBe("paired with nobody");
  await site.paired.add({ ...pairedWith(newIdentity()), pairedMs: clock.nowMs() * 2 });
  const findings = await diagnose();
  expect(of(findings, "versions")).toMatchObject({ isFine: false });
  expect(of(findings, "versions").what).toContain("10.0.0.7");
  expect(of(findings, "clock")).toMatchObject({ isFine: false });
  await newer.stop();
});
