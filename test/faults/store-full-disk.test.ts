import { HeddleErrorCode, isHeddleError, type DocumentEntry } from "@heddle/core";
import { openLevelStore, type LevelLogStore } from "@heddle/storage-level";
import { collectLog, testDocument, testEnvironment, TestWriter } from "@heddle/testkit";
import { expect, test, vi } from "vitest";

import { SmallDisk, type SmallDiskKind } from "../processes/small-disk.ts";

// Goal: a full disk costs no acknowledged write, and the store goes on by itself once there is space.
// Method: a tmpfs, and an ext4 on a loop device, of 24 MiB that a ballast file fills to the brim. Appends run
// into it, the ballast goes, 200 more are appended. Plain LevelDB acknowledges those 200 and loses them.

const { storageFull } = HeddleErrorCode;
const mebibyte = 1024 * 1024;
const reasons: Readonly<Record<SmallDiskKind, string>> = {
  tmpfs: SmallDisk.reason,
  ext4: SmallDisk.ext4Reason,
};
const kinds = (Object.keys(reasons) as SmallDiskKind[]).filter((kind) => {
  const reason = reasons[kind];
  if (reason) console.warn(`test/faults/store-full-disk.test.ts is skipped on ${kind}${reason}`);
  return reason === "";
});

class Appender {
  readonly environment = testEnvironment("full disk", { timers: "real" });
  readonly document: DocumentEntry = testDocument(this.environment, "notes");
  readonly acknowledged: string[] = [];

  /** Appends one after the other in a lane of its own; a failure ends it, and the lane with it. */
  async run(store: LevelLogStore, count: number, payloadBytes: number): Promise<unknown> {
    const writer = await TestWriter.open(this.environment);
    try {
      await store.append({ lanes: [writer.lane], documents: [this.document] });
      for (let index = 0; index < count; index++) {
        const payload = this.environment.random.bytes(payloadBytes);
        const envelope = writer.seal(this.document.id, payload);
        await store.append({ envelopes: [envelope] });
        this.acknowledged.push(`${envelope.lane} ${envelope.seq}`);
      }
      return undefined;
    } catch (error) {
      return error;
    }
  }

  async expectAll(store: LevelLogStore): Promise<void> {
    const log = await collectLog(store, this.document.id);
    const held = new Set(log.map(({ lane, seq }) => `${lane} ${seq}`));
    expect(this.acknowledged.filter((name) => !held.has(name))).toEqual([]);
  }
}

// What is left free decides whether a log append, a table or a manifest is what does not fit.
/** Where nothing can be mounted one is still named, as skipped. */
const shown: readonly SmallDiskKind[] = kinds.length > 0 ? kinds : ["tmpfs"];
const cases = shown.flatMap((kind) => [0.3, 1.5, 3.2, 6].map((left) => [kind, left] as const));

test.runIf(kinds.length > 0).each(cases)(
  "[STO-4] %s with %s MiB left fills up; nothing acknowledged is lost",
  async (kind, leftMebibytes) => {
    await using disk = await SmallDisk.mount({ mebibytes: 24, kind });
    const appender = new Appender();
    const { environment } = appender;
    const store = await openLevelStore(disk.folder, { environment });
    expect(await appender.run(store, 20, 50_000)).toBeUndefined();
    await disk.fill(leftMebibytes * mebibyte);

    const error = await appender.run(store, 400, 50_000);
    expect(isHeddleError(error, storageFull)).toBe(true);
    expect(store.state).toMatchObject({ name: "fenced", error: { code: storageFull } });
    expect(isHeddleError(await appender.run(store, 1, 10), storageFull)).toBe(true);

    await disk.free();
    await vi.waitFor(() => expect(store.state.name).toBe("open"), { timeout: 20_000 });
    await appender.expectAll(store);
    expect(await appender.run(store, 200, 100)).toBeUndefined();
    await store.close();

    const again = await openLevelStore(disk.folder, { environment });
    await appender.expectAll(again);
    await again.close();
  },
);

test.runIf(kinds.length > 0).each(shown)(
  "[STO-4] a store on a full %s opens once there is space, and does no harm before",
  async (kind) => {
    await using disk = await SmallDisk.mount({ mebibytes: 24, kind });
    const appender = new Appender();
    const { environment } = appender;
    const store = await openLevelStore(disk.folder, { environment });
    expect(await appender.run(store, 50, 50_000)).toBeUndefined();
    await store.close();
    await disk.fill(0);
    for (let attempt = 1; attempt <= 3; attempt++) {
      const opening = openLevelStore(disk.folder, { environment });
      await expect(opening).rejects.toMatchObject({ code: storageFull });
    }
    await disk.free();
    const again = await openLevelStore(disk.folder, { environment });
    await appender.expectAll(again);
    await again.close();
  },
);
