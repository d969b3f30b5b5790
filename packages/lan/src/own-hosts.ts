import { networkInterfaces } from "node:os";

/** IPv4 addresses of this machine that a neighbour can use, the first four. */
export function hostsOf(): readonly string[] {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  const outside = all.filter(({ family, internal }) => family === "IPv4" && !internal);
  return outside.map(({ address }) => address).slice(0, 4);
}
