import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { connect, createServer } from "node:tls";

import { HeddleError, HeddleErrorCode } from "@heddle/core";
import { nodeEnvironment } from "@heddle/replica/node";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import type { DeviceIdentity } from "./device-identity.ts";
import { joinPairing } from "./join-pairing.ts";
import { newFolder, newIdentity, pairedWith } from "./lan-site.fixture.ts";
import { lanLimits } from "./lan-limits.ts";
import { writePairedDevice, type PairedDevice } from "./paired-device.ts";
import { PairedDevices } from "./paired-devices.ts";
import { readCard, writeCard } from "./pairing-card.ts";
import { PairingChannel, pairingTls } from "./pairing-channel.ts";
import { pairingIdentity, parsePairingLink, writePairingLink } from "./pairing-link.ts";
import {
  startPairing,
  type Pairing,
  type PairingParty,
  type StartPairingOptions,
} from "./start-pairing.ts";

// Goal: whoever has the link is paired, once; nobody else is, and nobody is half paired.
// Method: real pairings over loopback, with everything that can be wrong about a link.

const ignore = (): void => undefined;
const environment = nodeEnvironment({ debug: ignore, info: ignore, warn: ignore, error: ignore });
const failed = { code: HeddleErrorCode.pairingFailed };

let temporary: ReturnType<typeof newFolder>;
let ada: PairingParty;
let bo: PairingParty;
let pairing: Pairing | undefined;

beforeEach(() => {
  temporary = newFolder();
  ada = party("Ada's laptop");
  bo = party("Bo's laptop");
});

afterEach(() => {
  pairing?.cancel();
  temporary.remove();
});

function party(name: string, identity: DeviceIdentity = newIdentity()): PairingParty {
  const paired = new PairedDevices(pairedFolderOf(identity));
  return { identity, name, paired, environment };
}

function pairedFolderOf({ fingerprint }: DeviceIdentity): string {
  return path.join(temporary.folder, fingerprint);
}

async function begin(options: Partial<StartPairingOptions> = {}): Promise<Pairing> {
  pairing = await startPairing({ ...ada, ...options, hosts: ["127.0.0.1"] });
  return pairing;
}

function trustOf({ paired }: PairingParty): readonly string[] {
  paired.refresh();
  return paired.allTrusted.map(({ name }) => name);
}

/** Whoever has the link, as far as the card of the host. */
async function halfWay(link: string): Promise<PairingChannel> {
  const { secret, addresses } = parsePairingLink(link);
  const psk = { psk: Buffer.from(secret), identity: pairingIdentity(secret) };
  const socket = connect({ ...pairingTls, ...addresses[0]!, pskCallback: () => psk });
  await once(socket, "secureConnect");
  const channel = new PairingChannel(socket, environment.scheduler);
  const binding = channel.secretFor("pair");
  channel.write(writeCard(bo.identity, bo.name, { role: "guest", binding }));
  expect(readCard(await channel.read(), { role: "host", binding })).toBeDefined();
  return channel;
}

describe("a pairing", () => {
  test("[LAN-5] makes two devices trust each other, with a key that only they have", async () => {
    const { link, done } = await begin();
    const [atBo, atAda] = await Promise.all([joinPairing(link, bo), done]);
    expect(atBo).toMatchObject({ name: ada.name, fingerprint: ada.identity.fingerprint });
    expect(atAda).toMatchObject({ name: bo.name, fingerprint: bo.identity.fingerprint });
    expect(atBo.tagKey).toBe(atAda.tagKey);
    expect([trustOf(ada), trustOf(bo)]).toEqual([[bo.name], [ada.name]]);
  });

  test("[LAN-6] refuses a link that was used", async () => {
    const { link, done } = await begin();
    await Promise.all([joinPairing(link, bo), done]);
    const cy = party("Cy's laptop");
    await expect(joinPairing(link, cy)).rejects.toMatchObject(failed);
    expect([trustOf(ada), trustOf(cy)]).toEqual([[bo.name], []]);
  });

  test("[LAN-6] refuses a link that has expired", async () => {
    const { link, done } = await begin({ lifeMs: 20 });
    await expect(done).rejects.toMatchObject(failed);
    await expect(joinPairing(link, bo)).rejects.toMatchObject(failed);
    expect([trustOf(ada), trustOf(bo)]).toEqual([[], []]);
  });

  test("[LAN-6] refuses a wrong secret, and is withdrawn after so many", async () => {
    const { link, done } = await begin();
    const parsed = parsePairingLink(link);
    const outcome = expect(done).rejects.toMatchObject(failed);
    for (let attempt = 0; attempt < lanLimits.pairingAttemptsMax; attempt++) {
      const wrong = writePairingLink({ ...parsed, secret: new Uint8Array(16).fill(attempt) });
      await expect(joinPairing(wrong, bo)).rejects.toMatchObject(failed);
    }
    await outcome;
    await expect(joinPairing(link, bo)).rejects.toMatchObject(failed);
    expect([trustOf(ada), trustOf(bo)]).toEqual([[], []]);
  });

  test("[LAN-6] with another device than the link names is none, for neither side", async () => {
    const { link, done } = await begin();
    const outcome = expect(done).rejects.toMatchObject(failed);
    const { fingerprint } = newIdentity();
    const forged = writePairingLink({ ...parsePairingLink(link), fingerprint });
    await expect(joinPairing(forged, bo)).rejects.toMatchObject(failed);
    await outcome;
    expect([trustOf(ada), trustOf(bo)]).toEqual([[], []]);
  });

  test("[LAN-5] shows who does not know the secret nothing, not even a name", async () => {
    const heard: Buffer[] = [];
    const { privateKey, certificate: cert } = newIdentity();
    const key = privateKey.export({ type: "pkcs8", format: "pem" });
    const impostor = createServer({ key, cert, minVersion: "TLSv1.3" }, (socket) => {
      socket.on("error", () => socket.destroy());
      socket.on("data", (chunk: Buffer) => heard.push(chunk));
    });
    impostor.on("tlsClientError", (_error, socket) => socket.destroy());
    await new Promise<void>((done) => impostor.listen(0, "127.0.0.1", done));
    const { port } = impostor.address() as { readonly port: number };
    const { fingerprint } = ada.identity;
    const addresses = [{ host: "127.0.0.1", port }];
    const link = writePairingLink({ addresses, secret: new Uint8Array(16), fingerprint });
    await expect(joinPairing(link, bo)).rejects.toMatchObject(failed);
    expect(heard).toEqual([]);
    await new Promise((done) => impostor.close(done));
  });

  test("[LAN-6] ends when whoever has the link says who it is not", async () => {
    const { link, done } = await begin();
    const outcome = expect(done).rejects.toMatchObject(failed);
    const { secret, addresses } = parsePairingLink(link);
    const psk = { psk: Buffer.from(secret), identity: pairingIdentity(secret) };
    const socket = connect({ ...pairingTls, ...addresses[0]!, pskCallback: () => psk });
    const text = JSON.stringify({ format: "heddle-pair-card/1", key: "AA", name: "x" });
    const length = Uint8Array.of(0, text.length);
    socket.resume();
    socket.once("secureConnect", () => socket.write(Buffer.concat([length, Buffer.from(text)])));
    await new Promise((closed) => socket.once("close", closed));
    await outcome;
    expect(trustOf(ada)).toEqual([]);
  });

  test("[LAN-6] with a guest that is killed before it is done is none", async () => {
    const { link, done } = await begin();
    const outcome = expect(done).rejects.toMatchObject(failed);
    (await halfWay(link)).destroy();
    await outcome;
    expect(trustOf(ada)).toEqual([]);
  });

  test.each([
    ["before it has written it down", () => Promise.resolve(), []],
    ["after it has written it down", (add: () => Promise<void>) => add(), ["Bo's laptop"]],
  ])(
    "[LAN-6] with a host that is killed %s leaves no device trusted that did not finish",
    async (_when, write, atAda) => {
      const { paired } = ada;
      const killed = async (device: PairedDevice): Promise<void> => {
        await write(() => PairedDevices.prototype.add.call(paired, device));
        pairing?.cancel();
        return new Promise(() => undefined);
      };
      const { link, done } = await begin({ paired: Object.assign(paired, { add: killed }) });
      const outcome = expect(done).rejects.toMatchObject(failed);
      const lost = { ...failed, message: expect.stringContaining("ask heddle peers there") };
      await expect(joinPairing(link, bo)).rejects.toMatchObject(lost);
      await outcome;
      expect([trustOf(ada), trustOf(bo)]).toEqual([atAda, ["Ada's laptop"]]);
      ada = { ...ada, paired: new PairedDevices(pairedFolderOf(ada.identity)) };
      const again = await begin();
      await Promise.all([joinPairing(again.link, bo), again.done]);
      expect([trustOf(ada), trustOf(bo)]).toEqual([["Bo's laptop"], ["Ada's laptop"]]);
    },
  );

  test("[LAN-6] with a host that cannot keep it is none, for neither side", async () => {
    const full = new HeddleError(HeddleErrorCode.storageIo, "no room");
    const { paired } = ada;
    const { link, done } = await begin({
      paired: Object.assign(paired, { add: () => Promise.reject(full) }),
    });
    const outcome = expect(done).rejects.toBe(full);
    await expect(joinPairing(link, bo)).rejects.toMatchObject(failed);
    await outcome;
    expect([trustOf(ada), trustOf(bo)]).toEqual([[], []]);
  });

  test("[LAN-6] that fails brings nothing back that was revoked meanwhile, and what it was before otherwise", async () => {
    const first = await begin();
    await Promise.all([joinPairing(first.link, bo), first.done]);
    const full = new HeddleError(HeddleErrorCode.storageIo, "no room");
    const { paired } = ada;
    const before = bo.paired.all;
    let meanwhile: (() => Promise<void>) | undefined;
    const add = async () => {
      await meanwhile?.();
      throw full;
    };
    const failing = async (): Promise<void> => {
      const { link, done } = await begin({ paired: Object.assign(paired, { add }) });
      const outcome = expect(done).rejects.toBe(full);
      await expect(joinPairing(link, bo)).rejects.toMatchObject(failed);
      await outcome;
    };
    await failing();
    expect(bo.paired.all).toEqual(before);
    meanwhile = () => {
      return new PairedDevices(pairedFolderOf(bo.identity)).revoke(ada.identity.fingerprint, 7);
    };
    await failing();
    expect([trustOf(bo), bo.paired.all[0]?.revokedMs]).toEqual([[], 7]);
  });

  test("[LAN-6] with a host that has as many as there may be is refused before anything changes", async () => {
    mkdirSync(pairedFolderOf(ada.identity), { recursive: true });
    for (let count = 0; count < lanLimits.pairedMax; count++) {
      const device = pairedWith(newIdentity());
      const file = path.join(pairedFolderOf(ada.identity), `${device.fingerprint}.json`);
      writeFileSync(file, writePairedDevice(device));
    }
    const { link, done } = await begin();
    const outcome = expect(done).rejects.toMatchObject(failed);
    await expect(joinPairing(link, bo)).rejects.toMatchObject(failed);
    await outcome;
    expect([ada.paired.all.length, trustOf(bo)]).toEqual([lanLimits.pairedMax, []]);
  });

  test("[LAN-5] again replaces what was there, and lifts a revocation", async () => {
    const first = await begin();
    await Promise.all([joinPairing(first.link, bo), first.done]);
    await ada.paired.revoke(bo.identity.fingerprint, 1);
    expect(trustOf(ada)).toEqual([]);
    const second = await begin();
    await Promise.all([joinPairing(second.link, { ...bo, name: "Bo's desk" }), second.done]);
    expect(trustOf(ada)).toEqual(["Bo's desk"]);
  });
});

test.each([
  "",
  "heddle-pair:2?a=10.0.0.1:1&s=AA&f=AA",
  "heddle-pair:1?s=AAAAAAAAAAAAAAAAAAAAAA",
  "https://example.com",
  `heddle-pair:1?a=10.0.0.1:0&${"x".repeat(10)}`,
  `heddle-pair:1?${"a=10.0.0.1:1&".repeat(200)}`,
])("[LAN-6] %j is refused as a link before anything is dialed", (link) => {
  expect(() => parsePairingLink(link)).toThrow(expect.objectContaining(failed));
});

test("links of version 1 are written and read as ever", () => {
  const link = {
    addresses: [
      { host: "192.168.1.5", port: 4711 },
      { host: "fe80::1", port: 80 },
    ],
    secret: Uint8Array.from({ length: 16 }, (_, index) => index),
    fingerprint: "0f".repeat(32),
  };
  const text =
    "heddle-pair:1?a=192.168.1.5:4711&a=[fe80::1]:80&s=AAECAwQFBgcICQoLDA0ODw" +
    "&f=Dw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8";
  expect(writePairingLink(link)).toBe(text);
  expect(parsePairingLink(` ${text}\n`)).toEqual(link);
});

test("[LAN-2] what another program writes is seen, and what it damages is trusted by nobody", async () => {
  const { link, done } = await begin();
  await Promise.all([joinPairing(link, bo), done]);
  const elsewhere = new PairedDevices(pairedFolderOf(ada.identity));
  expect(elsewhere.trusted(bo.identity.fingerprint)?.name).toBe(bo.name);
  await ada.paired.revoke(bo.identity.fingerprint, 5);
  await vi.waitFor(() => expect(elsewhere.refresh()).toBe(true));
  expect(elsewhere.trusted(bo.identity.fingerprint)).toBeUndefined();
  const name = `${bo.identity.fingerprint}.json`;
  writeFileSync(path.join(pairedFolderOf(ada.identity), name), "{}");
  const damaged = new PairedDevices(pairedFolderOf(ada.identity));
  expect([damaged.all, damaged.unreadable]).toEqual([[], [name]]);
});

test("[LAN-5] where no device can be written down no link is shown, and one that is used there stays good", async () => {
  const full = party("no room");
  writeFileSync(pairedFolderOf(full.identity), "a file where the list should be");
  const unwritable = { code: HeddleErrorCode.storageIo };
  await expect(begin(full)).rejects.toMatchObject(unwritable);
  const { link, done } = await begin();
  await expect(joinPairing(link, full)).rejects.toMatchObject(unwritable);
  await joinPairing(link, bo);
  expect(await done).toMatchObject({ name: "Bo's laptop" });
});

test("[LAN-5] without an address there is no link, and why is said", async () => {
  const why = {
    code: HeddleErrorCode.configInvalid,
    message: expect.stringContaining("no interface"),
  };
  await expect(startPairing({ ...ada, hosts: [] })).rejects.toMatchObject(why);
});

test("[LAN-6] of two devices that use a link at the same moment one is paired", async () => {
  const { link } = await begin();
  const tries = await Promise.allSettled(
    [bo, party("Cy's laptop")].map((guest) => joinPairing(link, guest)),
  );
  expect(tries.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"]);
  expect(new PairedDevices(pairedFolderOf(ada.identity)).all).toHaveLength(1);
});
