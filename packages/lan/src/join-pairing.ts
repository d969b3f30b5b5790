import { connect, type TLSSocket } from "node:tls";

import { isHeddleError } from "@heddle/core";

import { addressText, type LanAddress } from "./address.ts";
import { nameFrom } from "./device-name.ts";
import { lanLimits } from "./lan-limits.ts";
import type { PairedDevice } from "./paired-device.ts";
import { readCard, writeCard } from "./pairing-card.ts";
import { PairingChannel, pairingTls, PairingWord } from "./pairing-channel.ts";
import { pairingFailed } from "./pairing-failed.ts";
import { pairingIdentity, parsePairingLink, type PairingLink } from "./pairing-link.ts";
import { answerInvitation } from "./space-invitation.ts";
import type { PairingParty } from "./start-pairing.ts";

/**
 * Pairs this device with the one that shows the link.
 *
 * @throws HeddleError `HEDDLE_PAIRING_FAILED` when the link is damaged, expired, used or wrong, the other device
 * is not there, or it is of another space; as `prepareSpace`: then nobody is trusted who was not trusted before.
 * `HEDDLE_PAIRING_FAILED`, too, when the other device is lost before its last word: this side has finished then
 * and trusts it, and whether it trusts this one only it can say.
 */
export async function joinPairing(link: string, party: PairingParty): Promise<PairedDevice> {
  const parsed = parsePairingLink(link);
  if (parsed.fingerprint === party.identity.fingerprint) {
    throw pairingFailed("the link is this device's own: use it on the other one");
  }
  await party.paired.assertWritable();
  let failure: unknown;
  for (const address of parsed.addresses) {
    let socket: TLSSocket;
    try {
      socket = await openPsk(parsed, address, party);
    } catch (error) {
      failure = error;
      continue;
    }
    // Somebody who knows the secret is there: nobody else is asked.
    return exchange(new PairingChannel(socket, party.environment.scheduler), parsed, party);
  }
  throw failure;
}

function openPsk(
  { secret }: PairingLink,
  { host, port }: LanAddress,
  { environment }: PairingParty,
): Promise<TLSSocket> {
  const where = addressText({ host, port });
  return new Promise((resolve, reject) => {
    const socket = connect({
      ...pairingTls,
      host,
      port,
      pskCallback: () => ({ psk: Buffer.from(secret), identity: pairingIdentity(secret) }),
      checkServerIdentity: () => undefined,
    });
    const fail = (why: string, cause?: unknown): void => {
      callOff();
      socket.destroy();
      reject(pairingFailed(`${where} ${why}`, cause));
    };
    const callOff = environment.scheduler.after(lanLimits.dialAddressMsMax, () => {
      fail("does not answer");
    });
    socket.once("error", (cause: NodeJS.ErrnoException) => {
      const isNobody = cause.code === "ECONNREFUSED" || cause.code === "EHOSTUNREACH";
      fail(isNobody ? "waits for nobody: the link was used or has expired" : refusal, cause);
    });
    socket.once("close", () => fail(refusal));
    socket.once("secureConnect", () => {
      // With a certificate it would be somebody who does not know the secret.
      if (socket.getPeerX509Certificate() !== undefined) return fail("does not know the secret");
      callOff();
      socket.removeAllListeners("close").removeAllListeners("error");
      resolve(socket);
    });
  });
}

const refusal = "refused: the link is wrong, was used or has expired";

async function exchange(
  channel: PairingChannel,
  link: PairingLink,
  party: PairingParty,
): Promise<PairedDevice> {
  const { paired } = party;
  let before: PairedDevice | undefined;
  let device: PairedDevice | undefined;
  let isDone = false;
  try {
    const { takePart, host } = await meetHost(channel, link, party);
    before = paired.all.find(({ fingerprint }) => fingerprint === host.fingerprint);
    device = host;
    await paired.add(device);
    await takePart?.();
    // From here on the host may trust this device: it is taken back only when the host says that it does not.
    channel.write(PairingWord.kept);
    isDone = true;
    isDone = (await lastWord(channel)) !== PairingWord.refused;
    if (!isDone) throw pairingFailed("the other device refused");
    channel.end();
    return device;
  } catch (error) {
    channel.destroy();
    // As it was: half a pairing is none.
    if (device && !isDone) await paired.takeBack(device, before);
    throw isHeddleError(error) ? error : pairingFailed("the pairing failed", error);
  }
}

/** Cards both ways: who the host is, and how this device takes part in its space. */
async function meetHost(channel: PairingChannel, link: PairingLink, party: PairingParty) {
  const { identity, name, environment } = party;
  const binding = channel.secretFor("pair");
  channel.write(writeCard(identity, nameFrom(name), { role: "guest", binding }));
  const card = readCard(await channel.read(), { role: "host", binding });
  if (card?.fingerprint !== link.fingerprint) {
    throw pairingFailed("another device answered than the link is of");
  }
  const takePart = await answerInvitation(card.genesis, party);
  const tagKey = channel.secretFor("tags").toString("hex");
  const { fingerprint, key, name: shown } = card;
  const pairedMs = environment.clock.nowMs();
  const host: PairedDevice = { fingerprint, key, name: shown, tagKey, pairedMs };
  return { takePart, host };
}

async function lastWord(channel: PairingChannel): Promise<string> {
  try {
    return await channel.read();
  } catch (cause) {
    const message =
      "the other device was lost before it said that it trusts this one: ask heddle peers there, or pair again";
    throw pairingFailed(message, cause);
  }
}
