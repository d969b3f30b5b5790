import { once } from "node:events";
import type { AddressInfo } from "node:net";

import { afterEach, describe, expect, test, vi } from "vitest";
import { WebSocketServer } from "ws";

import { PeeredRelay } from "../integration/peered-relay.ts";
import { Door } from "./door.ts";
import {
  RecordedProvider,
  type DropInOptions,
  type Kind,
  type Recorded,
} from "./recorded-provider.ts";
import { startStockServer } from "./stock-server.ts";

// Goal: what listens to y-websocket's provider hears from ours the same events, in the same order, and
// sees the same fields while it does.
// Method: the same scenario with either class at the same server; what was recorded is compared.

const wait = { timeout: 30_000 };
const textOf = ({ doc }: RecordedProvider): string => doc.getText("text").toJSON();

const opened: RecordedProvider[] = [];
afterEach(() => {
  for (const { provider } of opened.splice(0)) provider.destroy();
});

let rooms = 0;
function open(kind: Kind, url: string, options: DropInOptions = {}): RecordedProvider {
  const recorded = new RecordedProvider(kind, url, `room-${++rooms}`, options);
  opened.push(recorded);
  return recorded;
}

interface Place extends AsyncDisposable {
  readonly url: string;
}

const servers: Record<string, () => Promise<Place>> = {
  "a relay": () => PeeredRelay.start(),
  "the stock server": startStockServer,
};

const until = (isSo: () => boolean) => vi.waitFor(() => expect(isSo()).toBe(true), wait);

type Scenario = (
  kind: Kind,
  url: string,
) => Promise<readonly [recorded: RecordedProvider, ...same: unknown[]]>;

/** Each returns what is to be the same, beside the events. */
const scenarios: Record<string, Scenario> = {
  async "loses the server, and is told to connect when it is back"(kind, url) {
    await using door = await Door.to(url);
    const one = open(kind, door.url, { shouldReconnect: ({ code }) => code === 1006 });
    const { provider } = one;
    await until(() => provider.synced);
    await door.shut();
    await until(() => one.all.some(([name]) => name === "connection-error"));
    const [without, failures] = [one.fields, provider.wsUnsuccessfulReconnects > 0];
    await door.open();
    provider.connect();
    await until(() => provider.synced);
    const { wsUnsuccessfulReconnects } = provider;
    provider.destroy();
    return [one, without.includes("wsconnected"), failures, wsUnsuccessfulReconnects];
  },
  async "loses the server, and does not want it again until it is told to"(kind, url) {
    await using door = await Door.to(url);
    const asked: unknown[] = [];
    const shouldReconnect: DropInOptions["shouldReconnect"] = ({ code }, provider) => {
      asked.push(code, provider === one.provider);
      return false;
    };
    const one = open(kind, door.url, { shouldReconnect });
    await until(() => one.provider.synced);
    await door.shut();
    await until(() => one.all.at(-1)?.[0] === "closed");
    const { fields } = one;
    await door.open();
    one.provider.connect();
    await until(() => one.provider.synced);
    one.provider.destroy();
    return [one, asked, fields];
  },
  async "is made, connects and has synced"(kind, url) {
    const one = open(kind, `${url}//`, { params: { a: "1 &", b: "ü" } });
    const { fields, provider } = one;
    const { doc, awareness, params, maxBackoffTime, protocols, disableBc, bcconnected } = provider;
    await until(() => provider.synced);
    const address = provider.url.slice(url.length).replace(/\d+/, "");
    const own = [
      doc === one.doc,
      awareness.doc === doc,
      params,
      provider.bcChannel === provider.url.split("?")[0],
    ];
    return [one, fields, address, own, maxBackoffTime, protocols, disableBc, bcconnected];
  },
  async "is connected later, let go and connected again, each twice"(kind, url) {
    const one = open(kind, url, { connect: false });
    const { provider } = one;
    const before = one.fields;
    provider.connect();
    const connecting = one.fields;
    provider.connect();
    await until(() => provider.synced);
    provider.disconnect();
    const after = one.fields;
    provider.disconnect();
    provider.connect();
    await until(() => provider.synced);
    const { wsUnsuccessfulReconnects } = provider;
    return [one, before, connecting, after, wsUnsuccessfulReconnects];
  },
  async "is let go while it connects"(kind, url) {
    const one = open(kind, url);
    one.provider.disconnect();
    const after = one.fields;
    one.provider.connect();
    await until(() => one.provider.synced);
    return [one, after];
  },
  async "is destroyed: the last edit arrives, and nothing more is told"(kind, url) {
    const one = open(kind, url);
    const room = one.provider.roomname;
    await until(() => one.provider.synced);
    one.doc.getText("text").insert(0, "last words");
    one.provider.destroy();
    const told = one.all.length;
    const other = new RecordedProvider("y-websocket", url, room);
    opened.push(other);
    await until(() => textOf(other) === "last words");
    return [one, told === one.all.length];
  },
  async "shows what the server had before it says synced, from the provider"(kind, url) {
    const writer = open("y-websocket", url);
    await until(() => writer.provider.synced);
    writer.doc.getText("text").insert(0, "there before");
    const reader = new RecordedProvider(kind, url, writer.provider.roomname);
    opened.push(reader);
    const seen: unknown[] = [];
    reader.doc.on("update", (_update, origin) => seen.push(origin === reader.provider));
    reader.provider.on("sync", () => seen.push(textOf(reader)));
    await until(() => reader.provider.synced && textOf(reader) !== "");
    return [reader, seen];
  },
  async "shows who is there, from the provider, until it is let go"(kind, url) {
    const ada = open("y-websocket", url);
    ada.provider.awareness.setLocalStateField("user", { name: "Ada" });
    const reader = new RecordedProvider(kind, url, ada.provider.roomname);
    opened.push(reader);
    const origins = new Set<unknown>();
    const { awareness } = reader.provider;
    awareness.on("change", (_change: unknown, origin: unknown) => {
      if (origin !== "local") origins.add(origin === reader.provider);
    });
    const names = () => [...awareness.getStates().values()].flatMap(({ user }) => user?.name ?? []);
    await until(() => names().length === 1 && reader.provider.synced);
    const there = names();
    reader.provider.disconnect();
    await until(() => names().length === 0);
    return [reader, there, [...origins]];
  },
};

describe.each(Object.entries(servers))("at %s", (_name, start) => {
  test.each(Object.entries(scenarios))("[CLT-9] a provider that %s", async (_what, play) => {
    await using server = await start();
    const [stock, ...expected] = await play("y-websocket", server.url);
    const [ours, ...shown] = await play("heddle", server.url);
    expect(withoutRounds(ours.all)).toEqual(withoutRounds(stock.all));
    expect(shown).toEqual(expected);
  });
});

/** How often an attempt failed before the server was back is a matter of time: once is enough. */
function withoutRounds(all: readonly Recorded[]): unknown {
  const round = ["status", "connection-error", "connection-close"];
  const rest = [...all];
  for (let at = 0; at + 6 <= rest.length;) {
    const [one, next] = [rest.slice(at, at + 3), rest.slice(at + 3, at + 6)];
    const isRound = JSON.stringify(one) === JSON.stringify(next);
    if (isRound && one.every(([name], index) => name === round[index])) rest.splice(at, 3);
    else at++;
  }
  return rest;
}

test("[CLT-1] both mean one document by one address and one room", async () => {
  await using relay = await PeeredRelay.start();
  const address = relay.url.replace("ws", "http");
  const rooms = ["plan", "team plan", "team%20plan%20b", "team%2Fplan"];
  await Promise.all(
    rooms.map(async (room) => {
      const [stock, ours] = (["y-websocket", "heddle"] as const).map((kind) => {
        const one = new RecordedProvider(kind, address, room);
        opened.push(one);
        return one;
      }) as [RecordedProvider, RecordedProvider];
      stock.doc.getText("text").insert(0, room);
      await until(() => textOf(ours) === room);
    }),
  );
});

test.each([4403, 4500])("[CLT-9] closed with %i, both stop or try again alike", async (code) => {
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
  await once(server, "listening");
  const asked: (string | undefined)[][] = [];
  server.on("connection", (socket, { url, headers }) => {
    asked.push([url?.split("?")[1], headers["sec-websocket-protocol"]?.replace("heddle.1,", "")]);
    socket.close(code, "not you");
  });
  const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const [stock, ours] = await Promise.all(
    (["y-websocket", "heddle"] as const).map(async (kind) => {
      const one = open(kind, url, { params: { token: "a b" }, protocols: ["app"] });
      const isDone = (): boolean =>
        code === 4403 ? heard(one, "closed") === 1 : heard(one, "connection-close") > 1;
      await until(isDone);
      const { shouldConnect } = one.provider;
      const before = asked.length;
      one.provider.params["token"] = "another";
      one.provider.connect();
      await until(() => asked.length > before);
      // A relay has greeted before it counts as connected; this one never does.
      return [shouldConnect, one.all.filter(([name]) => name === "closed").slice(0, 1)];
    }),
  );
  server.close();
  for (const client of server.clients) client.terminate();
  expect(ours).toEqual(stock);
  const queries = new Set(asked.map((about) => JSON.stringify(about)));
  expect(queries).toEqual(new Set(['["token=a%20b","app"]', '["token=another","app"]']));
});

function heard({ all }: RecordedProvider, wanted: string): number {
  return all.filter(([name]) => name === wanted).length;
}
