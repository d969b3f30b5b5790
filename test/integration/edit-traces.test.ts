import { webSocketTransport } from "@heddle/client";
import { httpTransport } from "@heddle/client/http";
import { HeddleErrorCode, MemoryDisk, type LogFields, type Logger } from "@heddle/core";
import { AdminServer } from "@heddle/relay/admin";
import { traceEdits, type ReplicaTelemetry } from "@heddle/replica";
import { nodeEnvironment, openReplica } from "@heddle/replica/node";
import type { Transport } from "@heddle/sync";
import * as api from "@opentelemetry/api";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WebSocket } from "ws";

import { PeeredRelay } from "./peered-relay.ts";
import { environment, memoryStore } from "./relay-under-test.ts";
import { until } from "./stock-client.ts";

// Goal: one edit that was given a correlation id can be followed through every replica.
// Method: two replicas, over different transports, and the relay between, each with a logger and a tracer
// of its own that works with the API of OpenTelemetry.

interface RecordedSpan {
  readonly name: string;
  readonly traceId: string | undefined;
  readonly parentSpanId: string | undefined;
  readonly options: api.SpanOptions;
}

/** Keeps what it is told; what it starts are spans of the API that send nothing. */
class RecordingTracer implements api.Tracer {
  readonly spans: RecordedSpan[] = [];

  startSpan(name: string, options: api.SpanOptions = {}, context = api.context.active()): api.Span {
    const parent = api.trace.getSpanContext(context);
    const [traceId, parentSpanId] = [parent?.traceId, parent?.spanId];
    this.spans.push({ name, traceId, parentSpanId, options });
    return api.trace.wrapSpanContext(parent ?? api.INVALID_SPAN_CONTEXT);
  }

  startActiveSpan(): never {
    throw new Error("nothing of heddle runs inside a span");
  }
}

interface Line extends LogFields {
  readonly event: string;
}

class Watched {
  readonly tracer = new RecordingTracer();
  readonly lines: Line[] = [];
  readonly telemetry: ReplicaTelemetry;
  readonly logger: Logger;

  constructor(onRound: ReplicaTelemetry["onRound"] = () => undefined) {
    this.telemetry = { onRound, ...traceEdits({ api, tracer: this.tracer }) };
    const keep = (event: string, fields?: LogFields): void => {
      this.lines.push({ event, ...fields });
    };
    this.logger = { debug: keep, info: keep, warn: keep, error: keep };
  }

  named(event: string): Line[] {
    return this.lines.filter((line) => line.event === event);
  }

  /** Of what was written here; what the relay had before is received as well. */
  get own(): RecordedSpan[] {
    return this.tracer.spans.filter(({ name }) => /transact|commit/.test(name));
  }

  async open(transport: Transport) {
    const store = await memoryStore();
    const { telemetry, logger } = this;
    const peers = [{ name: "relay", transport }];
    const replica = await openReplica({ store, peers, telemetry, logger });
    return {
      live: await replica.open("notes"),
      async [Symbol.asyncDispose]() {
        await replica.close();
        await store.close();
      },
    };
  }
}

let admin: AdminServer;
let relayed: Watched;
let relay: PeeredRelay;

beforeAll(async () => {
  admin = await AdminServer.start({ environment, host: "127.0.0.1", port: 0 });
  relayed = new Watched((round) => admin.telemetry.onRound(round));
  const { telemetry, logger } = relayed;
  const extras = { telemetry, environment: nodeEnvironment(logger) };
  relay = await PeeredRelay.start({}, new MemoryDisk(), extras);
});

afterAll(async () => {
  await relay[Symbol.asyncDispose]();
  await admin.close();
});

async function ask(accept: string) {
  const answer = await fetch(`${admin.url}/metrics`, { headers: { accept } });
  return { type: answer.headers.get("content-type"), text: await answer.text() };
}

const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
const traceparent = `00-${traceId}-00f067aa0ba902b7-01`;

describe("an edit with a correlation id", () => {
  test("[OBS-1][OBS-2] is one trace and one id in the log of every replica that it reaches", async () => {
    const [ada, bo] = [new Watched(), new Watched()];
    await using from = await ada.open(webSocketTransport({ url: relay.url, WebSocket }));
    await using to = await bo.open(httpTransport({ url: `${relay.relay.url}/heddle/1/` }));
    const text = from.live.ydoc.getText("text");
    const reason = 'invoice 7\n{"event":"forged"}';
    from.live.transact(() => text.insert(0, "paid"), { reason, correlationId: traceparent });
    await until(() => to.live.ydoc.getText("text").toString() === "paid", "it arrives");
    await until(() => bo.tracer.spans.length > 0, "it is told");
    // A push is said again when its acknowledgement is late.
    const names = (watched: Watched) => [...new Set(watched.tracer.spans.map(({ name }) => name))];
    expect([names(ada), names(relayed), names(bo)]).toEqual([
      ["heddle.transact", "heddle.commit", "heddle.push"],
      ["heddle.receive", "heddle.push"],
      ["heddle.receive"],
    ]);
    const all = [ada, relayed, bo].flatMap(({ tracer }) => tracer.spans);
    expect(new Set(all.map((span) => span.traceId))).toEqual(new Set([traceId]));
    expect(new Set(all.map((span) => span.parentSpanId)).size).toBe(1);
    for (const { options } of all) {
      expect(options.attributes).toMatchObject({ "heddle.correlation_id": traceId });
      expect(options.attributes?.["heddle.reason"]).toBe('invoice 7\\u{a}{"event":"forged"}');
    }
    const [committed] = ada.named("edit.committed");
    const said = { correlationId: traceId, editReason: 'invoice 7\\u{a}{"event":"forged"}' };
    expect(committed).toMatchObject(said);
    const { lane, seq } = committed!;
    for (const watched of [ada, relayed]) {
      expect(watched.named("edit.pushed")[0]).toMatchObject({ ...said, lane, seq });
    }
    for (const watched of [relayed, bo]) {
      expect(watched.named("edit.received")).toMatchObject([{ ...said, lane, seq }]);
    }
  });

  test("[OBS-2] is the exemplar of the latencies, for who asks for OpenMetrics", async () => {
    const open = await ask("application/openmetrics-text;version=1.0.0,text/plain;q=0.5");
    expect(open.type).toContain("application/openmetrics-text");
    expect(open.text.trimEnd()).toMatch(/# EOF$/);
    const exemplar = new RegExp(
      `^heddle_sync_seconds_bucket.* # \\{trace_id="${traceId}"\\} `,
      "m",
    );
    expect(open.text).toMatch(exemplar);
    const plain = await ask("text/plain");
    expect(plain.type).toContain("text/plain");
    expect(plain.text).not.toContain(traceId);
    expect(plain.text).toContain("heddle_sync_seconds_bucket");
  });

  test("[OBS-1] may have any id of up to 16 bytes, and none that is longer or no traceparent", async () => {
    const ada = new Watched();
    await using from = await ada.open(webSocketTransport({ url: relay.url, WebSocket }));
    const write = (correlationId: Uint8Array | string) => {
      const text = from.live.ydoc.getText("text");
      from.live.transact(() => text.insert(0, "."), { correlationId });
    };
    write(Uint8Array.of(7, 8));
    await until(() => ada.named("edit.committed").length === 1, "it is on disk");
    expect(ada.named("edit.committed")[0]).toMatchObject({ correlationId: "0708" });
    expect(ada.own.map((span) => span.traceId)).toEqual([undefined, undefined]);
    const zeros = "0".repeat(32);
    const wrong = [new Uint8Array(17), "order 7", `00-${zeros}-00f067aa0ba902b7-01`, traceId];
    for (const id of wrong) {
      const refusal = expect.objectContaining({ code: HeddleErrorCode.configInvalid });
      expect(() => write(id)).toThrow(refusal);
    }
  });

  test("[OBS-1] costs nothing that is not asked for: no id, no line and no span", async () => {
    const ada = new Watched();
    await using from = await ada.open(webSocketTransport({ url: relay.url, WebSocket }));
    from.live.transact(() => from.live.ydoc.getText("text").insert(0, "?"), { reason: "no id" });
    await from.live.whenSaved();
    expect(ada.own).toEqual([]);
    expect(ada.named("edit.committed")).toEqual([]);
  });
});
