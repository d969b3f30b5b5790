import { connect } from "node:tls";

import type { Scheduler } from "@heddle/core";

import type { LanAddress } from "./address.ts";
import type { DeviceIdentity, Fingerprint } from "./device-identity.ts";
import { lanLimits } from "./lan-limits.ts";
import { shownDevice } from "./peer-certificate.ts";

/** Who is at an address. */
export type Knocked =
  | { readonly found: "device"; readonly fingerprint: Fingerprint }
  /** Something that is not a heddle device. */
  | { readonly found: "stranger" }
  /** The machine is there, and nobody listens. */
  | { readonly found: "nobody" }
  /** Nothing came back: a firewall, or no such machine. */
  | { readonly found: "silence" };

export interface KnockOptions {
  readonly identity: DeviceIdentity;
  readonly scheduler: Scheduler;
  readonly knockMsMax?: number | undefined;
}

/** Makes one TLS handshake, and says no word in it. */
export function knockAt({ host, port }: LanAddress, options: KnockOptions): Promise<Knocked> {
  const { knockMsMax = lanLimits.dialAddressMsMax, scheduler, identity } = options;
  const { privateKey, certificate: cert } = identity;
  const key = privateKey.export({ type: "pkcs8", format: "pem" });
  return new Promise((resolve) => {
    const socket = connect({
      host,
      port,
      key,
      cert,
      rejectUnauthorized: false,
      checkServerIdentity: () => undefined,
      minVersion: "TLSv1.3",
    });
    const end = (knocked: Knocked): void => {
      callOff();
      socket.destroy();
      resolve(knocked);
    };
    const callOff = scheduler.after(knockMsMax, () => {
      end({ found: "silence" });
    });
    socket.on("error", ({ code }: NodeJS.ErrnoException) => {
      if (code === "ECONNREFUSED") return end({ found: "nobody" });
      const isLost = code === "EHOSTUNREACH" || code === "ENETUNREACH" || code === "ETIMEDOUT";
      end({ found: isLost ? "silence" : "stranger" });
    });
    socket.once("close", () => end({ found: "stranger" }));
    socket.once("secureConnect", () => {
      const shown = shownDevice(socket);
      end(shown ? { found: "device", fingerprint: shown.fingerprint } : { found: "stranger" });
    });
  });
}
