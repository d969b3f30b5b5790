import { capPath, decodeCapRecord, only, type JobOptions } from "@heddle/reconcile";
import { expect, test } from "vitest";

import { JobSite } from "./job-site.fixture.ts";
import { sums } from "./light-projections.ts";

// Goal: a projection that somebody has to look at is corrected by no job, and by all of them once somebody has.

async function drifted(): Promise<JobSite> {
  const site = await JobSite.open();
  for (let index = 10; index < 16; index++) {
    await site.fill(1, { likes: 1 }, `p${index}`);
    await site.setTotal(`p${index}`, "likes", 5);
  }
  return site;
}

const planned: Partial<JobOptions> = { name: "planned", correctionsMax: 2 };
const asked: Partial<JobOptions> = { name: "asked", correctionsMax: 100 };

test("[REC-5] a cap that one job reached holds all others, whatever they look at, until somebody accepts it", async () => {
  const site = await drifted();
  const first = await site.run(planned);
  expect(first).toMatchObject({ outcome: "capped", counts: { corrections: 2 } });
  const [bytes] = await site.store.get([capPath("sums")]);
  expect(decodeCapRecord(bytes as Uint8Array)).toMatchObject({ job: "planned", run: first.run });
  for (const options of [
    asked,
    { ...asked, isThorough: true },
    { ...asked, name: "another", scope: { partitions: only("p15") } },
    planned,
  ]) {
    expect(await site.run(options)).toMatchObject({
      outcome: "capped",
      counts: { corrections: 0 },
    });
  }
  expect(await site.audited()).toHaveLength(2);
  expect(await site.run({ ...asked, isDryRun: true })).toMatchObject({ outcome: "whole" });
  await site.reopen();
  await site.feed();
  expect((await site.run(planned)).outcome).toBe("capped");
});

test("[REC-5] whoever accepts it, by a job of any name, lets the planned ones go on", async () => {
  const site = await drifted();
  await site.run(planned);
  const accepted = await site.run({
    ...asked,
    acceptsCap: true,
    scope: { partitions: only("p12") },
  });
  expect(accepted).toMatchObject({ outcome: "whole", counts: { corrections: 1 } });
  expect(site.environment.logger.lines.map(({ event }) => event)).toContain(
    "reconcile.cap_accepted",
  );
  expect(await site.run({ ...planned, correctionsMax: 100 })).toMatchObject({ outcome: "whole" });
  expect(await site.wrong()).toEqual([]);
});

test("[REC-5] a job that is under way stops when another one reaches its cap", async () => {
  const site = await drifted();
  const { store } = site;
  const apply = store.apply.bind(store);
  let corrections = 0;
  store.apply = async (batch, conditions) => {
    const outcome = await apply(batch, conditions);
    if (batch.audit?.length && ++corrections === 1) {
      store.apply = apply;
      expect((await site.run({ ...planned, correctionsMax: 1 })).outcome).toBe("capped");
    }
    return outcome;
  };
  const report = await site.run(asked);
  expect(report).toMatchObject({ outcome: "capped", counts: { corrections: 1 } });
  expect(await site.audited()).toHaveLength(2);
});

test("[REC-5] a record of a cap that cannot be read is no permission, and another definition is other code", async () => {
  const site = await drifted();
  const value = new TextEncoder().encode("what");
  await site.store.apply({ put: [{ path: capPath("sums"), value }] });
  expect((await site.run(asked)).outcome).toBe("capped");
  expect((await site.run({ ...asked, acceptsCap: true })).outcome).toBe("whole");
  await site.setTotal("p10", "likes", 5);
  await site.setTotal("p11", "likes", 5);
  expect((await site.run({ ...asked, correctionsMax: 1 })).outcome).toBe("capped");
  site.projection = { ...sums, version: 2 };
  await site.reopen();
  await site.feed();
  await site.setTotal("p12", "likes", 5);
  expect(await site.run(asked)).toMatchObject({ outcome: "whole", counts: { corrections: 1 } });
  expect(() => site.job({ name: "cap" })).toThrow("cap");
});
