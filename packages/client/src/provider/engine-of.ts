import { platform } from "#platform";

import { consoleLogger } from "../console-logger.ts";
import { SharedEngine } from "../engine/shared-engine.ts";
import type { WebSocketConstructor } from "../web-socket-transport.ts";
import type { HeddleProviderOptions } from "./provider-options.ts";

/** The engine that a provider with these options shares. */
export function engineOf(serverUrl: string, options: HeddleProviderOptions): SharedEngine {
  const { store: given } = options;
  const name = given ? (given.directory ?? given.name) : storeNameOf(serverUrl);
  const {
    protocols = [],
    getToken,
    logger = consoleLogger,
    WebSocketPolyfill,
    persist = true,
  } = options;
  const engineOptions = {
    serverUrl,
    store: given ?? platform.defaultStore(storeNameOf(serverUrl)),
    isDefaultStore: given === undefined,
    protocols,
    WebSocket: WebSocketPolyfill as WebSocketConstructor | undefined,
    getToken,
    persist,
    logger,
  };
  return SharedEngine.of(engineOptions, name);
}

/** One store for each server: what was typed for one is not for another. */
function storeNameOf(serverUrl: string): string {
  const { host, pathname } = new URL(serverUrl);
  return `${host}${pathname === "/" ? "" : pathname}`.slice(0, 128);
}
