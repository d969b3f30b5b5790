import fc from "fast-check";
import { expect, test } from "vitest";
import * as Y from "yjs";

import { memoryStore, startRelay } from "../integration/relay-under-test.ts";
import { until } from "../integration/stock-client.ts";
import { connectStock, type ProviderVersion, type StockClient } from "./stock-providers.ts";
import { startStockServer } from "./stock-server.ts";

/** A step of one of three people, on every shared type that editors use. */
const step = fc.record({
  person: fc.nat(2),
  kind: fc.constantFrom(
    "type",
    "type",
    "delete",
    "format",
    "map",
    "array",
    "xml",
    "leave",
    "return",
  ),
  at: fc.nat(500),
  value: fc.string({ maxLength: 6 }),
});
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** Client ids are fixed, so that both servers see the very same edits and ties fall the same way. */
function newDocument(person: number): Y.Doc {
  return Object.assign(new Y.Doc(), { clientID: person + 1 });
}

function edit(client: StockClient, { kind, at, value }: Step): void {
  const text = client.ydoc.getText("text");
  const within = at % (text.length + 1);
  if (kind === "type") text.insert(within, value);
  if (kind === "delete" && text.length > 0) text.delete(at % text.length, 1);
  if (kind === "format")
    text.format(within, Math.min(3, text.length - within), { bold: at % 2 === 0 });
  if (kind === "map") client.ydoc.getMap("map").set(`key${at % 3}`, value);
  if (kind === "array") client.ydoc.getArray("array").insert(0, [value, at]);
  if (kind === "xml") client.ydoc.getXmlFragment("xml").insert(0, [new Y.XmlElement("p")]);
  if (kind === "leave") client.provider.disconnect();
  if (kind === "return") client.provider.connect();
}

/** Plays the steps one after the other, each seen by all who are online before the next. */
async function play(
  url: string,
  steps: readonly Step[],
  version: ProviderVersion,
): Promise<unknown> {
  const clients = [0, 1, 2].map((person) => {
    return connectStock({ url, name: "room", version, ydoc: newDocument(person) });
  });
  try {
    const online = (): StockClient[] => clients.filter(({ provider }) => provider.synced);
    await until(() => online().length === 3, "all are synced");
    for (const each of steps) {
      edit(clients[each.person]!, each);
      if (each.kind === "return") await until(() => clients[each.person]!.provider.synced, "back");
      await until(() => new Set(online().map(contentOf)).size <= 1, "all who are online agree");
    }
    for (const { provider } of clients) provider.connect();
    await until(() => online().length === 3, "all came back");
    await until(() => new Set(clients.map(contentOf)).size === 1, "all agree");
    using late = connectStock({ url, name: "room", version, ydoc: newDocument(3) });
    await until(() => late.provider.synced, "the late client is synced");
    expect(contentOf(late)).toEqual(contentOf(clients[0]!));
    return JSON.parse(contentOf(late));
  } finally {
    for (const client of clients) client[Symbol.dispose]();
  }
}

function contentOf({ ydoc }: StockClient): string {
  return JSON.stringify({
    text: ydoc.getText("text").toDelta(),
    map: Object.entries(ydoc.getMap("map").toJSON()).toSorted(([a], [b]) => (a < b ? -1 : 1)),
    array: ydoc.getArray("array").toJSON(),
    xml: ydoc.getXmlFragment("xml").toString(),
  });
}

test.each(["2.1.0", "3.1.0"] as const)(
  "[RLY-4] the same edits end in the same content on the stock server and here (y-websocket %s)",
  async (version) => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 30 }), async (steps) => {
        await using stock = await startStockServer();
        await using relay = await startRelay(await memoryStore());
        const [there, here] = [
          await play(`${stock.url}/${Math.random()}`, steps, version),
          await play(relay.url, steps, version),
        ];
        expect(here).toEqual(there);
      }),
      { numRuns: 8 },
    );
  },
);
