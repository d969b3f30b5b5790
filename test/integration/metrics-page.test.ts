import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

import { MemoryProjectionDisk, MemoryProjectionStore, setCounters } from "@heddle/reconcile";
import { LogSource, ProjectionHost, SinkHost, webhook } from "@heddle/replica";
import { ReconcileFigures } from "@heddle/replica/node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { startWatchedRelay, type WatchedRelay } from "./admin-under-test.ts";
import { environment, memoryStore } from "./relay-under-test.ts";
import { connect, synced, until } from "./stock-client.ts";

// Goal: whoever meets a metric finds its meaning, and no alert or panel waits for one that is not there.
// Method: compare the page and the files of ops/ with what a live relay says.

interface Described {
  readonly type: string;
  readonly labels: readonly string[];
}

let relay: WatchedRelay;
let text = "";

beforeAll(async () => {
  // As of a relay with one projection that was not compared yet, and one sink.
  const reconciliation = new Map([["likes", new ReconcileFigures(environment.clock)]]);
  const log = await memoryStore();
  const store = await MemoryProjectionStore.open(new MemoryProjectionDisk(), environment.clock);
  const newSource = () => new LogSource({ store: log, environment });
  const projections = new ProjectionHost({
    store,
    source: newSource(),
    environment,
    projections: [setCounters({ name: "likes", owner: "tests" })],
  });
  const sinks = [{ name: "hook", owner: "tests", deliver: webhook({ url: "http://localhost" }) }];
  const host = new SinkHost({ store, newSource, environment, sinks });
  const derived = { reconciliation, projections, sinks: host.sinks };
  relay = await startWatchedRelay(log, { derived });
  using ada = connect(relay.url, "notes");
  using bo = connect(relay.url, "notes");
  await Promise.all([synced(ada), synced(bo)]);
  ada.text.insert(0, "thread");
  await until(() => bo.text.length > 0, "it arrives");
  text = await (await fetch(`${relay.admin.url}/metrics`)).text();
});

afterAll(() => relay[Symbol.asyncDispose]());

function read(file: string): string {
  return readFileSync(fileURLToPath(new URL(`../../${file}`, import.meta.url)), "utf8");
}

/** What `/metrics` says: name to type, and the names of labels that its samples have. */
function exported(): Map<string, Described> {
  const metrics = new Map<string, Described>();
  for (const [, name, type] of text.matchAll(/^# TYPE (\w+) (\w+)$/gm)) {
    const samples = text.matchAll(
      new RegExp(`^${name}(?:_bucket|_sum|_count)?\\{([^}]*)\\}`, "gm"),
    );
    const labels = [...samples].flatMap(([, inner]) => {
      return [...inner!.matchAll(/(\w+)="/g)].map(([, label]) => label!);
    });
    const own = [...new Set(labels)].filter((label) => label !== "le");
    metrics.set(name!, { type: type!, labels: own.toSorted() });
  }
  return metrics;
}

/** What docs/metrics.md says. */
function documented(): Map<string, Described> {
  const rows = read("docs/metrics.md").matchAll(/^\| `(\w+)` \| (\w+) \| ([^|]*)\|/gm);
  return new Map(
    [...rows].map(([, name, type, labels]) => {
      const named = [...labels!.matchAll(/`(\w+)`/g)].map(([, label]) => label!);
      return [name!, { type: type!, labels: named.toSorted() }];
    }),
  );
}

function typesOf(metrics: Map<string, Described>): string[] {
  return [...metrics].map(([name, { type }]) => `${name} ${type}`).toSorted();
}

describe("docs/metrics.md", () => {
  test("[OPS-3] lists every metric of /metrics with its type, and no other", () => {
    expect(typesOf(documented())).toEqual(typesOf(exported()));
  });

  test("[OPS-3] names the labels that the samples have", () => {
    for (const [name, { labels }] of exported()) {
      // Garbage may not have been collected yet: a metric without samples shows no labels.
      if (labels.length > 0) expect([name, documented().get(name)?.labels]).toEqual([name, labels]);
    }
  });

  test("[OPS-3] our own metrics are called heddle_<area>_<unit>, counters ending in _total", () => {
    const own = [...exported()].filter(([name]) => name.startsWith("heddle_"));
    expect(own.length).toBeGreaterThan(30);
    expect(own.filter(([name]) => !/^heddle(_[a-z]+)+$/.test(name))).toEqual([]);
    const odd = own.filter(([name, { type }]) => name.endsWith("_total") !== (type === "counter"));
    expect(odd).toEqual([]);
  });
});

/** `name` and `{label="value"}` of every metric in a text full of PromQL. */
function selectorsOf(queries: string): { name: string; matchers: string }[] {
  const plain = queries.replaceAll('\\"', '"');
  const found = plain.matchAll(/\b((?:heddle|process|nodejs)_[a-z_]+)(\{[^}]*\})?/g);
  return [...found].map(([, name, matchers = ""]) => ({ name: name!, matchers }));
}

describe.each(["ops/prometheus-alerts.yml", "ops/grafana-dashboard.json"])("%s", (file) => {
  test("[OPS-3] names only metrics that are there, with labels and values that they have", () => {
    const selectors = selectorsOf(read(file));
    expect(selectors.length).toBeGreaterThan(8);
    const missing = selectors.filter(({ name, matchers }) => {
      const samples = text.split("\n").filter((line) => new RegExp(`^${name}[ {]`).test(line));
      // What tells relays apart is added by whoever scrapes them.
      const wanted = [...matchers.matchAll(/(\w+)="([^"]*)"/g)].filter(
        ([, key]) => key !== "instance",
      );
      return !samples.some((line) => wanted.every(([matcher]) => line.includes(matcher)));
    });
    expect(missing).toEqual([]);
  });

  test("[OPS-3] groups by labels that exist", () => {
    const labels = new Set([...exported().values()].flatMap((metric) => metric.labels));
    const grouped = [...read(file).matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, list]) => {
      return list!.split(",").map((label) => label.trim());
    });
    const known = new Set([...labels, "instance", "le"]);
    expect(grouped.filter((label) => !known.has(label))).toEqual([]);
  });
});

test("the dashboard is one that Grafana can read: panels have ids, places and queries", () => {
  const { panels } = JSON.parse(read("ops/grafana-dashboard.json")) as {
    readonly panels: readonly {
      readonly id: number;
      readonly gridPos: Readonly<Record<"x" | "y" | "w" | "h", number>>;
      readonly targets: readonly { readonly refId: string; readonly expr: string }[];
    }[];
  };
  expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
  for (const { gridPos, targets } of panels) {
    expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24);
    expect(targets.every(({ refId, expr }) => refId !== "" && expr !== "")).toBe(true);
  }
});

test("every alert has an expression, a severity, a summary and something to do", () => {
  const alerts = read("ops/prometheus-alerts.yml").split("- alert: ").slice(1);
  expect(alerts.length).toBeGreaterThan(8);
  for (const alert of alerts) {
    for (const part of ["expr: ", "severity: ", "summary: ", "action: "]) {
      expect([alert.split("\n")[0], alert.includes(part)]).toEqual([alert.split("\n")[0], true]);
    }
  }
});

test("the alerts are rules that Prometheus can read: groups of rules with names of their own", () => {
  const load = createRequire(import.meta.url)("js-yaml").load as (text: string) => unknown;
  const { groups } = load(read("ops/prometheus-alerts.yml")) as {
    readonly groups: readonly {
      readonly rules: readonly {
        readonly alert: string;
        readonly expr: string;
        readonly for?: string;
      }[];
    }[];
  };
  const rules = groups.flatMap((group) => group.rules);
  expect(rules.length).toBeGreaterThan(15);
  expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length);
  expect(rules.filter(({ expr }) => typeof expr !== "string" || expr === "")).toEqual([]);
  expect(rules.filter((rule) => rule.for !== undefined && !/^\d+[smhd]$/.test(rule.for))).toEqual(
    [],
  );
  const ofReconciliation = rules.filter(({ expr }) => expr.includes("heddle_reconcile_"));
  const watched = ["drifts", "recurring", "age", "failures", "capped", "stalled", "undetermined"];
  const missing = watched.filter(
    (what) => !ofReconciliation.some(({ expr }) => expr.includes(what)),
  );
  expect(missing).toEqual([]);
  const ofSinks = rules.filter(({ expr }) => /heddle_sink_(age|dead)/.test(expr));
  expect(ofSinks).toHaveLength(2);
});
