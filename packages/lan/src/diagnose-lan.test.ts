import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import path from "node:path";
import { createServer as createTlsServer } from "node:tls";

import { nodeEnvironment } from "@heddle/replica/node";
import { MemorySegment } from "@heddle/testkit";
import { afterEach, beforeEach, expect, test } from "vitest";

import { announcedText } from "./announcement-tags.ts";
import { bonjourDiscovery } from "./bonjour-discovery.ts";
import type { DeviceIdentity } from "./device-identity.ts";
import { diagnoseLan } from "./diagnose-lan.ts";
import type { PacketSocket } from "./guarded-socket.ts";
import { lanCauses, type LanFinding } from "./lan-finding.ts";
import { KnownAddresses } from "./known-addresses.ts";
import { newLanCounters } from "./lan-counters.ts";
import { LanListener } from "./lan-listener.ts";
import { LanSite, newFolder, newIdentity, pairedWith } from "./lan-site.fixture.ts";
import { PairedDevices } from "./paired-devices.ts";

// Goal: whoever asks why devices do not find each other is told the cause.
// Method: each cause is made, on a segment in memory and with real sockets on loopback.

const ignore = (): void => undefined;
const { clock, scheduler } = nodeEnvironment({
  debug: ignore,
  info: ignore,
  warn: ignore,
  error: ignore,
});

const silent = { onSeen: ignore, onGone: ignore, onTrouble: ignore };

let site: LanSite;
let segment: MemorySegment;
let temporary: ReturnType<typeof newFolder>;
/** Whom the guest is paired with: the host, Ada. */
let known: PairedDevices;
beforeEach(async () => {
  site = await LanSite.open();
  segment = new MemorySegment();
  temporary = newFolder();
  known = new PairedDevices(temporary.folder);
  await known.add(pairedWith(site.host, "Ada"));
});
afterEach(async () => {
  await site.dispose();
  temporary.remove();
});

interface Circumstances {
  readonly hosts?: readonly string[];
  readonly socket?: (socket: PacketSocket) => PacketSocket;
  readonly fixed?: readonly { readonly host: string; readonly port: number }[];
  readonly port?: number;
  /** How far the clock of this device is off. */
  readonly aheadMs?: number;
}

/** As `guest` sees it. */
async function diagnose(made: Circumstances = {}): Promise<readonly LanFinding[]> {
  const { hosts = ["10.0.0.1"], socket, fixed = [], port, aheadMs = 0 } = made;
  const newSocket = () => {
    const plain = segment.socketAt("10.0.0.1");
    return socket ? socket(plain) : plain;
  };
  return diagnoseLan({
    identity: site.guest,
    paired: known,
    addresses: new KnownAddresses(path.join("nowhere", "addresses.json"), fixed, {
      warn: () => undefined,
    }),
    newDiscovery: () => bonjourDiscovery({ clock, counters: newLanCounters(), newSocket }),
    clock: { ...clock, nowMs: () => clock.nowMs() + aheadMs },
    scheduler,
    hosts,
    port,
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

/** What is said of the only device on the list, when it should be at that port. */
async function atPort(port: number): Promise<LanFinding> {
  return of(await diagnose(fixedAt(port)), "device");
}

/** Runs with that server at a port of loopback, which is gone afterwards with all who came. */
async function at<Result>(server: Server, run: (port: number) => Promise<Result>): Promise<Result> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("error", () => socket.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    return await run((server.address() as AddressInfo).port);
  } finally {
    for (const socket of sockets) socket.destroy();
    await new Promise((done) => server.close(done));
  }
}

/** A socket whose packets end in that error, or nowhere. */
function sendingTo(code: string | undefined): (socket: PacketSocket) => PacketSocket {
  const error = code === undefined ? null : Object.assign(new Error(code), { code });
  const send = (...given: unknown[]) => (given.at(-1) as (outcome: Error | null) => void)(error);
  return (socket) => Object.assign(socket, { send });
}

const forget = (devices: PairedDevices, { fingerprint }: DeviceIdentity): Promise<void> =>
  devices.takeBack(devices.trusted(fingerprint)!, undefined);

test("[LAN-10] says that all is well, where it is, and does not count its own replica among others", async () => {
  const text = announcedText(site.guest, known.allTrusted, "00".repeat(8));
  const own = bonjourDiscovery({
    clock,
    counters: newLanCounters(),
    newSocket: () => segment.socketAt("10.0.0.2"),
  }).start({ instance: "own", port: 1, text }, silent);
  const findings = await diagnose(fixedAt(site.port));
  await own.stop();
  expect(findings.filter(({ isFine }) => !isFine)).toEqual([]);
  expect(of(findings, "versions").what).toMatch(/: 0$/);
  expect(of(findings, "device").what).toContain("Ada");
});

test.each([
  ["no address of this machine", { hosts: [] }, "interfaces", "no-address"],
  ["no multicast route", { socket: sendingTo("ENETUNREACH") }, "multicast", "no-multicast-route"],
  [
    "a multicast port that is taken",
    { socket: sendingTo("EADDRINUSE") },
    "multicast",
    "multicast-port-taken",
  ],
  ["a firewall", { socket: sendingTo("EPERM") }, "multicast", "not-permitted"],
  [
    "multicast that is swallowed",
    { socket: sendingTo(undefined) },
    "multicast",
    "multicast-swallowed",
  ],
  ["discovery that fails", { socket: sendingTo("EIO") }, "multicast", "discovery-failed"],
  ["a device that nobody can find", {}, "device", "not-found"],
  ["nobody at an address", { fixed: [{ host: "127.0.0.1", port: 1 }] }, "device", "not-running"],
] as const)("[LAN-10] names %s", async (_what, made, check, cause) => {
  const advice = expect.stringMatching(/\w/);
  expect(of(await diagnose(made), check)).toMatchObject({ isFine: false, cause, advice });
});

test("[LAN-10] names another device at an address, one that says nothing, and something else than heddle", async () => {
  await at(createServer(), async (port) => {
    expect(await atPort(port)).toMatchObject({ cause: "unreachable" });
  });
  const mail = createServer((socket) => socket.end("220 mail.example\r\n"));
  await at(mail, async (port) => {
    expect(await atPort(port)).toMatchObject({ cause: "not-heddle" });
  });
  await forget(known, site.host);
  await known.add(pairedWith(newIdentity(), "Cy"));
  expect(await atPort(site.port)).toMatchObject({ cause: "other-device" });
});

test("[LAN-10] finds a device behind a place that somebody announces in its name", async () => {
  const text = announcedText(site.host, [pairedWith(site.guest)], "00".repeat(8));
  const forger = bonjourDiscovery({
    clock,
    counters: newLanCounters(),
    newSocket: () => segment.socketAt("127.0.0.1"),
  }).start({ instance: "forger", port: 1, text }, silent);
  expect(await atPort(site.port)).toMatchObject({ isFine: true });
  await forger.stop();
});

test("[LAN-10] names a port that another program has, and knows its own", async () => {
  const taken = await at(createServer(), async (port) => {
    expect(of(await diagnose({ port }), "port")).toMatchObject({ cause: "port-taken" });
    return port;
  });
  expect(of(await diagnose({ port: taken }), "port")).toMatchObject({ isFine: true });
  const own = await LanListener.start({
    identity: site.guest,
    paired: known,
    scheduler: site.scheduler,
    counters: newLanCounters(),
    port: 0,
    admitStore: () => true,
    onConnection: ignore,
  });
  const running = of(await diagnose({ port: own.port }), "port");
  expect(running).toMatchObject({ isFine: true, what: expect.stringContaining("this device") });
  await own.close();
});

test("[LAN-10] reads the clock of a device, and names one that is far off, either way", async () => {
  for (const aheadMs of [-60, 60].map((minutes) => minutes * 60_000)) {
    const finding = of(await diagnose({ ...fixedAt(site.port), aheadMs }), "device");
    expect(finding).toMatchObject({ isFine: false, cause: "clocks-apart" });
    expect(finding.what).toContain("60 minutes");
  }
});

test("[LAN-10] names a device that does not know this one any more", async () => {
  await forget(site.paired, site.guest);
  expect(await atPort(site.port)).toMatchObject({ cause: "not-trusted-there" });
});

test("[LAN-10] names a device that speaks another wire", async () => {
  const { privateKey, certificate: cert } = site.host;
  const key = privateKey.export({ type: "pkcs8", format: "pem" });
  const newer = createTlsServer({ key, cert, requestCert: true, rejectUnauthorized: false });
  newer.on("secureConnection", (socket) => {
    socket.write("HTTP/1.1 426 Upgrade Required\r\nSec-WebSocket-Protocol: heddle.2\r\n\r\n");
  });
  await at(newer, async (port) => {
    const finding = await atPort(port);
    expect(finding).toMatchObject({ isFine: false, cause: "other-version" });
    expect(finding.what).toContain("heddle.2");
  });
});

test("[LAN-10] names devices of another version, and records and clocks that are wrong", async () => {
  const text = { ...announcedText(newIdentity(), [], "00".repeat(8)), v: "2" };
  const newer = bonjourDiscovery({
    clock,
    counters: newLanCounters(),
    newSocket: () => segment.socketAt("10.0.0.7"),
  }).start({ instance: "newer", port: 1, text }, silent);
  await forget(known, site.host);
  expect(of(await diagnose(), "paired")).toMatchObject({ cause: "not-paired" });
  await known.add({ ...pairedWith(newIdentity()), pairedMs: clock.nowMs() * 2 });
  const findings = await diagnose();
  expect(of(findings, "versions")).toMatchObject({ cause: "other-version" });
  expect(of(findings, "versions").what).toContain("10.0.0.7");
  expect(of(findings, "clock")).toMatchObject({ cause: "clock-behind" });
  await newer.stop();
});

test("[LAN-10] docs/lan.md says what each cause means", () => {
  const page = readFileSync(new URL("../../../docs/lan.md", import.meta.url), "utf8");
  const listed = [...page.matchAll(/^\| `([a-z-]+)` \|/gm)].map(([, cause]) => cause);
  expect(listed).toEqual(lanCauses);
});
