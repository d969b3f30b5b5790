/** FNV-1a over bytes, 32 bit: finds damage that chance does, which is all that a simulation needs. */
export function checksum(bytes: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < bytes.length; index++) {
    hash = Math.imul(hash ^ bytes[index]!, 0x01000193);
  }
  return hash >>> 0;
}

/** What happened, in order: a hash of it always, the lines when somebody wants to read them. */
export class SimTrace {
  readonly lines: string[] = [];
  readonly #keepsLines: boolean;
  #high = 0x811c9dc5;
  #low = 0xdeadbeef;
  #events = 0;

  constructor(keepsLines: boolean) {
    this.#keepsLines = keepsLines;
  }

  get events(): number {
    return this.#events;
  }

  /** 64 bit as hex. Equal runs have equal hashes. */
  get hash(): string {
    return [this.#high, this.#low]
      .map((word) => (word >>> 0).toString(16).padStart(8, "0"))
      .join("");
  }

  add(nowMs: number, who: string, what: string): void {
    this.#events++;
    const line = `${nowMs.toFixed(3)} ${who} ${what}`;
    for (let index = 0; index < line.length; index++) {
      const unit = line.charCodeAt(index);
      this.#high = Math.imul(this.#high ^ unit, 0x01000193);
      this.#low = Math.imul(this.#low ^ (unit + 0x61), 0x85ebca6b) ^ (this.#low >>> 13);
    }
    if (this.#keepsLines) this.lines.push(line);
  }
}
