import {
  HeddleError,
  HeddleErrorCode,
  isReleased,
  toHex,
  type Environment,
  type QuarantinedUpdate,
} from "@heddle/core";
import { validatorVersion } from "@heddle/document";

import { traceNoteOf } from "./edit-trace.ts";
import type { UpdateSource } from "./pending-updates.ts";

/** Bounds per document: what a stranger's bad updates may take of the disk. */
export const quarantineBytesMax = 32 * 1024 * 1024;
export const quarantineCountMax = 256;
/** Of all that was ever refused, with or without its bytes. */
export const quarantineNotesMax = 4096;

/** The updates of one document that were refused for what they do to it (DOC-8). */
export class Quarantine {
  readonly #environment: Environment;
  readonly #ids = new Set<string>();
  #bytes = 0;
  #notes: number;
  #updates = 0;

  constructor(environment: Environment, stored: readonly QuarantinedUpdate[]) {
    this.#environment = environment;
    this.#notes = stored.length;
    for (const refused of stored) {
      this.#count(refused.update);
      if (!isReleased(refused)) this.#ids.add(refused.id);
    }
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

  /**
   * The record to keep, without the update when there is only room for a note; `undefined` when it is
   * kept already, or when there is no room at all.
   */
  add(update: Uint8Array, source: UpdateSource, reason: string): QuarantinedUpdate | undefined {
    const id = this.#idOf(update);
    if (this.#ids.has(id) || this.#notes >= quarantineNotesMax) return undefined;
    const isFull = this.#bytes + update.length > quarantineBytesMax;
    const isKept = !isFull && this.#updates < quarantineCountMax;
    this.#ids.add(id);
    this.#notes++;
    if (isKept) this.#count(update);
    const atMs = this.#environment.clock.nowMs();
    const { principal, tag: sourceTag } = source;
    const said = traceNoteOf(source);
    const note = { reason, validatorVersion, atMs, principal, sourceTag, ...said };
    return { id, size: update.length, ...note, update: isKept ? update : undefined };
  }

  #count(update: Uint8Array | undefined): void {
    if (update === undefined) return;
    this.#updates++;
    this.#bytes += update.length;
  }

  #idOf(update: Uint8Array): string {
    return toHex(this.#environment.hash.sha256(update).subarray(0, 16));
  }
}
