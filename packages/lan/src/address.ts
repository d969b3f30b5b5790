import { isIP } from "node:net";

/** Where a device may be listening. A hint, whoever gave it: the key decides who is there. */
export interface LanAddress {
  /** An IP address, or a name of the system's resolver. */
  readonly host: string;
  readonly port: number;
}

/** `192.168.1.5:4711`, `[fe80::1]:4711`, `laptop.local:4711`; undefined for anything else. */
export function parseAddress(text: string): LanAddress | undefined {
  const [, bracketed, plain, digits] =
    /^(?:\[([0-9a-fA-F:.]{2,45}(?:%\w{1,16})?)\]|([\w.-]{1,253})):(\d{1,5})$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  const port = Number(digits);
  if (host === undefined || port < 1 || port > 65_535) return undefined;
  if (bracketed !== undefined && isIP(bracketed.split("%")[0]!) !== 6) return undefined;
  return { host, port };
}

export function addressText({ host, port }: LanAddress): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
