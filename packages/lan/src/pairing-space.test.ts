import path from "node:path";

import { createSpace, deviceKey, HeddleErrorCode } from "@heddle/core";
import { nodeEnvironment, openDeviceKey } from "@heddle/replica/node";
import { afterEach, beforeEach, expect, test } from "vitest";

import { joinPairing } from "./join-pairing.ts";
import { newFolder, newIdentity } from "./lan-site.fixture.ts";
import { PairedDevices } from "./paired-devices.ts";
import { startPairing, type Pairing, type PairingParty } from "./start-pairing.ts";

// Goal: who is paired with a device of a space takes part in that space, or is not paired.
// Method: real pairings over loopback.

const ignore = (): void => undefined;
const environment = nodeEnvironment({ debug: ignore, info: ignore, warn: ignore, error: ignore });
const failed = { code: HeddleErrorCode.pairingFailed };

let temporary: ReturnType<typeof newFolder>;
let pairing: Pairing | undefined;
beforeEach(() => {
  temporary = newFolder();
});
afterEach(() => {
  pairing?.cancel();
  temporary.remove();
});

async function newGenesis(label: string): Promise<Uint8Array> {
  const signer = await openDeviceKey(path.join(temporary.folder, `${label}.pem`));
  const madeAt = { wallMs: 1_700_000_000_000, counter: 0 };
  return (await createSpace({ ...environment, signer, madeAt, label })).bytes;
}

const neverAsked = () => Promise.reject(new Error("asked about a space that is none"));

function party(name: string): PairingParty {
  const identity = newIdentity();
  const paired = new PairedDevices(path.join(temporary.folder, identity.fingerprint));
  return { identity, name, paired, environment };
}

async function begin(host: PairingParty): Promise<Pairing> {
  pairing = await startPairing({ ...host, role: "read", hosts: ["127.0.0.1"] });
  return pairing;
}

test("[LAN-14] a guest takes part in the space of the host, and the host trusts it when it has done so", async () => {
  const genesis = await newGenesis("Ada");
  const ada = { ...party("Ada"), genesis };
  const bo = party("Bo");
  const { link, done } = await begin(ada);
  const steps: string[] = [];
  const prepareSpace = (shown: Uint8Array) => {
    expect(shown).toEqual(genesis);
    steps.push(`prepared, ${bo.paired.all.length} paired`);
    return Promise.resolve(() => {
      ada.paired.refresh();
      steps.push(`taken, ${ada.paired.all.length} at the host`);
      return Promise.resolve();
    });
  };
  const [atBo, atAda] = await Promise.all([joinPairing(link, { ...bo, prepareSpace }), done]);
  expect(steps).toEqual(["prepared, 0 paired", "taken, 0 at the host"]);
  expect(atAda).toMatchObject({ key: deviceKey(bo.identity.publicKey), wanted: "read" });
  expect(ada.paired.all).toEqual([atAda]);
  expect(atBo).toMatchObject({ key: deviceKey(ada.identity.publicKey) });
  expect(atBo.wanted).toBeUndefined();
});

test("[LAN-14] devices of one space are paired, with nothing to take", async () => {
  const genesis = await newGenesis("Ada");
  const { link, done } = await begin({ ...party("Ada"), genesis });
  const bo = party("Bo");
  await Promise.all([joinPairing(link, { ...bo, genesis: genesis.slice() }), done]);
  expect(bo.paired.allTrusted).toHaveLength(1);
});

test.each([
  "another space",
  "nothing to prepare",
  "a space that cannot be taken",
  "a disk that fails when it takes part",
])("[LAN-14, LAN-6] a guest with %s refuses, and nobody is paired", async (kind) => {
  const ada = { ...party("Ada"), genesis: await newGenesis("Ada") };
  const bo = party("Bo");
  const { link, done } = await begin(ada);
  const isOver = expect(done).rejects.toMatchObject(failed);
  const genesis = kind === "another space" ? await newGenesis("Bo") : undefined;
  const refusal = Object.assign(new Error("no"), { ...failed });
  const refuse = () => Promise.reject(refusal);
  const owns = new Map([
    ["a space that cannot be taken", { prepareSpace: refuse }],
    ["a disk that fails when it takes part", { prepareSpace: () => Promise.resolve(refuse) }],
  ]);
  const own = owns.get(kind) ?? { genesis };
  await expect(joinPairing(link, { ...bo, ...own })).rejects.toMatchObject(failed);
  await isOver;
  ada.paired.refresh();
  expect([...ada.paired.all, ...bo.paired.all]).toEqual([]);
});

test("[LAN-14] a genesis that nobody signed is none; one that fits no card, and a role without one, are refused", async () => {
  const ada = party("Ada");
  const forged = await newGenesis("Ada");
  forged[forged.length - 1]! ^= 1;
  const { link, done } = await begin({ ...ada, genesis: forged });
  const isOver = expect(done).rejects.toMatchObject(failed);
  await expect(
    joinPairing(link, { ...party("Bo"), prepareSpace: neverAsked }),
  ).rejects.toMatchObject(failed);
  await isOver;
  const long = new Uint8Array(385);
  await expect(startPairing({ ...ada, genesis: long })).rejects.toMatchObject(failed);
  const invalid = { code: HeddleErrorCode.configInvalid };
  await expect(startPairing({ ...ada, role: "read" })).rejects.toMatchObject(invalid);
});
