import { expect, test } from "vitest";

import { memoryStore, startRelay } from "../integration/relay-under-test.ts";
import { sleep, until } from "../integration/stock-client.ts";
import { connectStock, providerVersions } from "./stock-providers.ts";

test.concurrent.each(providerVersions)(
  "[RLY-4] y-websocket %s syncs, shows presence, resyncs and reconnects",
  async (version) => {
    await using relay = await startRelay(await memoryStore());
    const at = { url: relay.url, name: "room", version };
    using ada = connectStock({ ...at, resyncInterval: 50 });
    using bo = connectStock(at);
    await until(() => ada.provider.synced && bo.provider.synced, "both are synced");
    ada.ydoc.getText("text").insert(0, "thread");
    ada.provider.awareness.setLocalStateField("user", { name: "Ada" });
    await until(() => bo.ydoc.getText("text").toString() === "thread", "the text arrives");
    await until(() => bo.provider.awareness.getStates().size === 2, "presence arrives");
    await sleep(200);
    expect(relay.replica.counters.envelopes).toBe(1);
    bo.provider.ws?.close();
    await until(() => !bo.provider.wsconnected, "Bo is cut off");
    bo.ydoc.getText("text").insert(6, "s");
    await until(() => ada.ydoc.getText("text").toString() === "threads", "Bo is back by himself");
    await until(() => ada.provider.awareness.getStates().size === 2, "with his presence");
  },
);

test.concurrent.each(providerVersions)(
  "[RLY-5] y-websocket %s stays connected alone, beyond the 30 s after which it would give up",
  async (version) => {
    await using relay = await startRelay(await memoryStore());
    using ada = connectStock({ url: relay.url, name: "room", version });
    await until(() => ada.provider.synced, "she is synced");
    let closes = 0;
    ada.provider.on("connection-close", () => closes++);
    // The provider renews its presence after 15 s, and looks at the clock every 3 s.
    await sleep(37_000);
    expect(closes).toBe(0);
    expect(Date.now() - ada.provider.wsLastMessageReceived).toBeLessThan(20_000);
  },
);
