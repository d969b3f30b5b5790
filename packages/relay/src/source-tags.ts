import { concatBytes, type Hash, type Random } from "@heddle/core";
import { encodeUtf8 } from "lib0/string";

const addressBytes = 4;

/**
 * Names connections in the log without naming anybody: eight bytes, the first four the same for all of
 * one address while this relay runs. With another start come other names, so a log is no register of
 * who was there when; an audit can tell a flood from a bystander all the same (DOC-9).
 */
export class SourceTags {
  readonly #hash: Hash;
  readonly #secret: Uint8Array;

  constructor(hash: Hash, random: Random) {
    this.#hash = hash;
    this.#secret = random.bytes(16);
  }

  /** @param address `undefined` on loopback, where all have the same: there each is by itself. */
  tagOf(connection: number, address: string | undefined): Uint8Array {
    const who = encodeUtf8(address ?? `connection ${connection}`);
    const tag = new Uint8Array(addressBytes + 4);
    tag.set(this.#hash.sha256(concatBytes([this.#secret, who])).subarray(0, addressBytes));
    new DataView(tag.buffer).setUint32(addressBytes, connection % 2 ** 32);
    return tag;
  }
}
