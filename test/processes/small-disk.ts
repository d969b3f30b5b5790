import { execFileSync } from "node:child_process";
import { mkdtemp, rm, unlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";

const isRoot = process.platform === "linux" && process.getuid?.() === 0;

/**
 * - `tmpfs`: in memory, where only content takes room.
 * - `ext4`: on a loop device, with a journal and blocks that are given out late.
 */
export type SmallDiskKind = "tmpfs" | "ext4";

/** A file system of its own that somebody else can fill. */
export class SmallDisk implements AsyncDisposable {
  static readonly isPossible = isRoot;
  static readonly reason = isRoot ? "" : " (skipped: only root may mount the small disk)";
  /** Why there is no `ext4` here; empty where there is. */
  static readonly ext4Reason = whyNoExt4();
  /** Where a store may go. */
  readonly folder: string;
  readonly #place: string;
  readonly #image: string | undefined;

  private constructor(place: string, image?: string) {
    this.#place = place;
    this.#image = image;
    this.folder = path.join(place, "data");
  }

  static async mount({
    mebibytes,
    kind = "tmpfs",
  }: {
    readonly mebibytes: number;
    readonly kind?: SmallDiskKind;
  }): Promise<SmallDisk> {
    const place = await mkdtemp(path.join(tmpdir(), "heddle-disk-"));
    if (kind === "tmpfs") {
      execFileSync("mount", ["-t", "tmpfs", "-o", `size=${mebibytes}m`, "tmpfs", place]);
      return new SmallDisk(place);
    }
    const image = `${place}.image`;
    execFileSync("truncate", ["-s", `${mebibytes}M`, image]);
    // Nothing is kept back for root, who would otherwise never see it full.
    execFileSync("mkfs.ext4", ["-q", "-F", "-m", "0", image]);
    execFileSync("mount", ["-o", "loop", image, place]);
    return new SmallDisk(place, image);
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
    if (this.#image !== undefined) await rm(this.#image, { force: true });
  }
}

function whyNoExt4(): string {
  if (!isRoot) return " (skipped: only root may mount the small disk)";
  try {
    execFileSync("which", ["mkfs.ext4"], { stdio: "pipe" });
    execFileSync("losetup", ["-f"], { stdio: "pipe" });
    return "";
  } catch {
    return " (skipped: no mkfs.ext4 or loop device)";
  }
}
