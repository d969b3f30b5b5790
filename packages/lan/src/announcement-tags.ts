import { createHmac } from "node:crypto";
import type { AnnouncedText } from "@heddle/sync";

import type { DeviceIdentity, Fingerprint } from "./device-identity.ts";
import type { PairedDevice } from "./paired-device.ts";

/** Of the text of announcements; others are nobody's. */
const version = "1";
const tagBytes = 6;
const tagLength = 8;
/** A string of a TXT record has 255 bytes, key and `=` included. */
const tagsPerString = 24;

/**
 * What an announcement says: for each device that this one is paired with, a tag that only that one can
 * tell from chance, and that is another one with each nonce. Neither names nor keys nor documents.
 *
 *   v=1  n=<16 hex digits>  t0=<tags, 8 characters each>  t1=…
 */
export function announcedText(
  { fingerprint }: DeviceIdentity,
  paired: readonly PairedDevice[],
  nonce: string,
): AnnouncedText {
  const tags = paired.map(({ tagKey }) => tagOf(tagKey, nonce, fingerprint)).toSorted();
  const text: Record<string, string> = { v: version, n: nonce };
  for (let from = 0; from < tags.length; from += tagsPerString) {
    text[`t${from / tagsPerString}`] = tags.slice(from, from + tagsPerString).join("");
  }
  return text;
}

/** Which of the paired devices may have said it. Whoever repeats its words can seem to be it. */
export function announcedBy(
  text: AnnouncedText,
  paired: readonly PairedDevice[],
): PairedDevice | undefined {
  const nonce = text["n"] ?? "";
  if (text["v"] !== version || !/^[0-9a-f]{16}$/.test(nonce)) return undefined;
  const tags = new Set(
    Object.entries(text)
      .filter(([key]) => /^t\d$/.test(key))
      .flatMap(([, value]) => value.match(new RegExp(`.{${tagLength}}`, "g")) ?? []),
  );
  return paired.find(({ tagKey, fingerprint }) => tags.has(tagOf(tagKey, nonce, fingerprint)));
}

/** The sender is part of it: a pair shares one key, and each says something else. */
function tagOf(tagKey: string, nonce: string, sender: Fingerprint): string {
  const mac = createHmac("sha256", Buffer.from(tagKey, "hex"));
  const tag = mac.update(`heddle/lan-tag/1 ${nonce} ${sender}`).digest();
  return tag.subarray(0, tagBytes).toString("base64url");
}
