import { execFileSync } from "node:child_process";
import { mkdtemp, rm, unlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";

const isRoot = process.platform === "linux" && process.getuid?.() === 0;

/** A tmpfs of its own that somebody else can fill. */
export class SmallDisk implements AsyncDisposable {
  static readonly isPossible = isRoot;
  static readonly reason = isRoot ? "" : " (skipped: only root may mount the small disk)";
  /** Where a store may go. */
  readonly folder: string;
  readonly #place: string;

  private constructor(place: string) {
    this.#place = place;
    this.folder = path.join(place, "data");
  }

  static async mount({ mebibytes }: { readonly mebibytes: number }): Promise<SmallDisk> {
    const place = await mkdtemp(path.join(tmpdir(), "heddle-disk-"));
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${mebibytes}m`, "tmpfs", place]);
    return new SmallDisk(place);
  }

  /** Leaves about `bytes` free. */
  async fill(leftBytes: number): Promise<void> {
    const block = new Uint8Array(64 * 1024);
    try {
      for (;;) await writeFile(this.#ballast, block, { flag: "a" });
    } catch {
      // Full, as intended. What is left free is cut off its end.
    }
    execFileSync("truncate", ["-s", `-${Math.round(leftBytes)}`, this.#ballast]);
  }

  async free(): Promise<void> {
    await unlink(this.#ballast);
  }

  get #ballast(): string {
    return path.join(this.#place, "ballast");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    execFileSync("umount", ["-l", this.#place]);
    await rm(this.#place, { recursive: true, force: true });
  }
}
