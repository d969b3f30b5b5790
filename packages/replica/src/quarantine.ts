import {
  HeddleError,
  HeddleErrorCode,
  toHex,
  type Environment,
  type QuarantinedUpdate,
} from "@heddle/core";
import { validatorVersion } from "@heddle/document";

import type { UpdateSource } from "./pending-updates.ts";

/** Bounds per document: what a stranger's bad updates may take of the disk. */
export const quarantineBytesMax = 32 * 1024 * 1024;
export const quarantineCountMax = 256;

/** The updates of one document that were refused for what they do to it (DOC-8). */
export class Quarantine {
  readonly #environment: Environment;
  readonly #ids = new Set<string>();
  #bytes = 0;

  constructor(environment: Environment, stored: readonly QuarantinedUpdate[]) {
    this.#environment = environment;
    for (const { id, update } of stored) this.#hold(id, update);
  }

  get count(): number {
    return this.#ids.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** @throws HeddleError `HEDDLE_UPDATE_REFUSED` when these bytes have been refused before. */
  assertNotHeld(update: Uint8Array): void {
    if (this.#ids.size === 0 || !this.#ids.has(this.#idOf(update))) return;
    throw new HeddleError(HeddleErrorCode.updateRefused, "this update is in quarantine");
  }

  /** The record to keep; `undefined` when it is kept already, or when there is no room for it. */
  add(update: Uint8Array, source: UpdateSource, reason: string): QuarantinedUpdate | undefined {
    const id = this.#idOf(update);
    if (this.#ids.has(id) || this.#ids.size >= quarantineCountMax) return undefined;
    if (this.#bytes + update.length > quarantineBytesMax) return undefined;
    this.#hold(id, update);
    const atMs = this.#environment.clock.nowMs();
    return { id, update, reason, validatorVersion, atMs, principal: source.principal };
  }

  #hold(id: string, update: Uint8Array): void {
    this.#ids.add(id);
    this.#bytes += update.length;
  }

  #idOf(update: Uint8Array): string {
    return toHex(this.#environment.hash.sha256(update).subarray(0, 16));
  }
}
