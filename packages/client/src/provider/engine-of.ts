import { platform } from "#platform";
import { spaceOfGenesis, type SpaceId } from "@heddle/core/base";

import { consoleLogger } from "../console-logger.ts";
import { SharedEngine } from "../engine/shared-engine.ts";
import type { WebSocketConstructor } from "../web-socket-transport.ts";
import type { HeddleProviderOptions } from "./provider-options.ts";

/** The engine that a provider with these options shares. */
export function engineOf(serverUrl: string, options: HeddleProviderOptions): SharedEngine {
  const { store: given, genesis } = options;
  const { hash } = platform.environment(options.logger ?? consoleLogger);
  const space = genesis && spaceOfGenesis(hash, genesis);
  const ownName = storeNameOf(serverUrl, space);
  const name = given ? (given.directory ?? given.name) : ownName;
  const {
    protocols = [],
    getToken,
    logger = consoleLogger,
    WebSocketPolyfill,
    persist = true,
  } = options;
  const engineOptions = {
    serverUrl,
    store: given ?? platform.defaultStore(ownName),
    member: genesis && space && { genesis, space },
    isDefaultStore: given === undefined,
    protocols,
    WebSocket: WebSocketPolyfill as WebSocketConstructor | undefined,
    getToken,
    persist,
    logger,
  };
  return SharedEngine.of(engineOptions, name);
}

/** One store for each server and space: what was typed for one is not for another. */
function storeNameOf(serverUrl: string, space: SpaceId | undefined): string {
  const { host, pathname } = new URL(serverUrl);
  const name = `${host}${pathname === "/" ? "" : pathname}`;
  return space ? `${name.slice(0, 95)} ${space}` : name.slice(0, 128);
}
