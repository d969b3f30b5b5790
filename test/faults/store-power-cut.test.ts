import { execFileSync } from "node:child_process";
import { mkdir, truncate, writeFile } from "node:fs/promises";
import path from "node:path";

import { decodeEnvelope } from "@heddle/core";
import { openLevelStore, verifyFolder } from "@heddle/storage-level";
import { collectLog, testDocument, testEnvironment, testHash } from "@heddle/testkit";
import { afterAll, expect, test } from "vitest";

import { compileProgram, ProgramProcess, removePrograms } from "../processes/program.ts";
import { batchOf, documentNames, envelopesPerBatch } from "./store-writer-batches.ts";
import { StoreFolder } from "./store-survey.ts";

// Goal: what was acknowledged survives the loss of power.
// Method: ext4 on a loop device. A writer is stopped at a random moment, what it acknowledged is read, and
// only then the file system is shut down without writing its journal; mounted again, the store has to
// hold all of it. The device stays attached, as attaching it anew gave false losses.

const rounds = Number(process.env["HEDDLE_POWER_CUTS"] ?? 5);
const reason = whyNot();
if (reason) console.warn(`test/faults/store-power-cut.test.ts is skipped${reason}`);
const environment = testEnvironment("power cut");

afterAll(removePrograms);

class LoopDisk implements AsyncDisposable {
  readonly folder: string;
  readonly #place: StoreFolder;
  readonly #device: string;

  private constructor(place: StoreFolder, device: string) {
    this.#place = place;
    this.#device = device;
    this.folder = path.join(place.folder, "mounted");
  }

  static async make(): Promise<LoopDisk> {
    const place = await StoreFolder.make();
    const image = path.join(place.folder, "image");
    await writeFile(image, "");
    await truncate(image, 128 * 1024 * 1024);
    execFileSync("mkfs.ext4", ["-q", "-F", image]);
    const device = execFileSync("losetup", ["-f", "--show", image], { encoding: "utf8" }).trim();
    const disk = new LoopDisk(place, device);
    await mkdir(disk.folder);
    disk.mount();
    return disk;
  }

  mount(): void {
    execFileSync("mount", [this.#device, this.folder]);
  }

  /** FS_IOC_SHUTDOWN without flushing the journal: what is not on the device by now is gone. */
  cutPower(): void {
    const script =
      'open(F, "<", $ARGV[0]) or die; $flags = pack("I", 2); ioctl(F, 0x8004587d, $flags) or die "$!"';
    execFileSync("perl", ["-e", script, this.folder]);
  }

  unmount(): void {
    execFileSync("umount", ["-l", this.folder]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.unmount();
    execFileSync("losetup", ["-d", this.#device]);
    await this.#place[Symbol.asyncDispose]();
  }
}

test.runIf(reason === "")(
  `[STO-1][STO-2] ${rounds} power cuts lose nothing that was acknowledged${reason}`,
  { timeout: 60_000 + rounds * 20_000 },
  async () => {
    const program = compileProgram("faults/store-writer-program");
    await using disk = await LoopDisk.make();
    const data = path.join(disk.folder, "data");
    const acknowledged = new Set<string>();
    for (let round = 1; round <= rounds; round++) {
      const child = new ProgramProcess(program, [data, `power ${round}`]);
      expect(await child.nextLine()).toBe("open");
      await new Promise((resolve) => setTimeout(resolve, 50 + Math.random() * 400));
      // Stopped, it acknowledges nothing more: all that it has printed was on disk before the cut.
      await child.pause();
      disk.cutPower();
      child.kill();
      await child.finish();
      for (const line of child.rest) {
        if (/^acknowledged [0-9a-f]{32} \d+$/.test(line)) acknowledged.add(line.slice(13));
      }
      disk.unmount();
      disk.mount();
      const { findings } = await verifyFolder(data, { hash: testHash });
      expect(findings.filter(({ severity }) => severity === "damage")).toEqual([]);
      await expectAll(data, acknowledged);
    }
    expect(acknowledged.size).toBeGreaterThan(rounds * 16);
    console.table({ rounds, acknowledged: acknowledged.size, lost: 0 });
  },
);

async function expectAll(data: string, acknowledged: ReadonlySet<string>): Promise<void> {
  const store = await openLevelStore(data, { environment });
  const held = new Map<string, number>();
  for (const name of documentNames) {
    for (const { bytes } of await collectLog(store, testDocument(environment, name).id)) {
      const { batch } = batchOf(decodeEnvelope(testHash, bytes).payload)!;
      held.set(batch, (held.get(batch) ?? 0) + 1);
    }
  }
  await store.close();
  expect([...acknowledged].filter((batch) => !held.has(batch))).toEqual([]);
  expect([...held].filter(([, count]) => count !== envelopesPerBatch)).toEqual([]);
}

/** Empty where it can be done. */
function whyNot(): string {
  if (process.platform !== "linux" || process.getuid?.() !== 0) {
    return " (skipped: only root on Linux may mount a disk of its own)";
  }
  try {
    for (const tool of ["mkfs.ext4", "losetup", "perl"]) execFileSync("which", [tool]);
    execFileSync("losetup", ["-f"], { stdio: "pipe" });
    return "";
  } catch {
    return " (skipped: no mkfs.ext4, losetup, perl or loop device)";
  }
}
