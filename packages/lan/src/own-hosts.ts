import { networkInterfaces } from "node:os";

/** IPv4 addresses of this machine that a neighbour can use, the first four. */
export function hostsOf(): readonly string[] {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  const outside = all.filter(({ family, internal }) => family === "IPv4" && !internal);
  return outside.map(({ address }) => address).slice(0, 4);
}

/** All of this machine, of every interface. */
export function localAddresses(): readonly string[] {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return all.map(({ address }) => plainAddress(address)).toSorted();
}

/** IPv4 in IPv6 clothes is IPv4; a zone says only where it is looked at. */
export function plainAddress(address: string): string {
  return address.replace(/^::ffff:/, "").split("%")[0]!;
}
