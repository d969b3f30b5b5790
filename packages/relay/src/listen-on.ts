import type { Server } from "node:http";

import { HeddleError, HeddleErrorCode, type Logger } from "@heddle/core";

export interface ListenOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly logger: Logger;
}

/** @throws HeddleError `HEDDLE_CONFIG_INVALID` when the address cannot be had, with a sentence for people. */
export function listenOn(server: Server, { host, port, logger }: ListenOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (cause) => {
      const { code } = cause as NodeJS.ErrnoException;
      const why = code === "EADDRINUSE" ? "somebody else listens there; try another port" : code;
      const message = `cannot listen on ${host}:${port}: ${why}`;
      reject(new HeddleError(HeddleErrorCode.configInvalid, message, { cause }));
    });
    server.listen(port, host, () => {
      server.removeAllListeners("error");
      server.on("error", (error) => logger.error("relay.server_error", { error: String(error) }));
      resolve();
    });
  });
}

export function urlOf(host: string, port: number, scheme = "http"): string {
  return `${scheme}://${host.includes(":") ? `[${host}]` : host}:${port}`;
}
