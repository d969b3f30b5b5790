import { execFileSync, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";

const programs = { ip: "iproute2", nft: "nftables" };
const folders = ["/usr/sbin", "/sbin", "/usr/bin", "/bin"];
const missing = Object.entries(programs)
  .filter(([program]) => !folders.some((folder) => existsSync(`${folder}/${program}`)))
  .map(([, debianPackage]) => debianPackage);
const isRoot = process.platform === "linux" && process.getuid?.() === 0;
/** Root of a container may not be allowed to. */
const isAllowed = isRoot && spawnSync("unshare", ["--net", "true"]).status === 0;

export type Site = "a" | "b" | "c" | "d";

const firstAddresses: Readonly<Record<Site, string>> = {
  a: "10.77.0.1",
  b: "10.77.0.2",
  c: "10.77.0.3",
  d: "10.77.0.4",
};

/**
 * Two machines or more and the switch between them, as network namespaces: processes of each see nothing else.
 * Nothing is left in the namespace of this process, so what was made ends with the namespaces.
 *
 *   a: eth0 ── to-a ┐ switch (bridge) ┌ to-b ── eth0 :b
 */
export class SmallNetwork implements Disposable {
  static readonly isPossible = isAllowed && missing.length === 0;
  static readonly reason = !isAllowed
    ? " (skipped: only root may make network namespaces)"
    : missing.length > 0
      ? ` (skipped: apt-get install ${missing.join(" ")})`
      : "";

  readonly #name = `heddle-${randomBytes(3).toString("hex")}`;

  readonly #sites: readonly Site[];
  readonly #addresses = { ...firstAddresses };

  constructor(sites: readonly Site[] = ["a", "b"]) {
    this.#sites = sites;
    process.once("exit", this.#remove);
    try {
      for (const part of [...sites, "switch"]) run("ip", "netns", "add", this.#namespace(part));
      this.#in("switch", "ip link add bridge type bridge");
      this.#in("switch", "ip link set bridge up");
      for (const site of sites) this.#connect(site);
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  address(site: Site): string {
    return this.#addresses[site];
  }

  /** The machine gets another address, as after a walk to another room; what it had open is not told. */
  move(site: Site, address: string): void {
    this.#in(site, `ip address del ${this.#addresses[site]}/24 dev eth0`);
    this.#in(site, `ip address add ${address}/24 dev eth0`);
    this.#addresses[site] = address;
  }

  /** Takes `site` off the switch, or puts it back; its own link stays up. */
  setPort(site: Site, state: "up" | "down"): void {
    this.#in("switch", `ip link set to-${site} ${state}`);
  }

  /** What a process is started through to run there. */
  through(site: Site): readonly string[] {
    return ["ip", "netns", "exec", this.#namespace(site)];
  }

  /** So many of a hundred packets, drawn at random, never arrive at `site`: 100 are all. */
  dropArriving(site: Site, percent: number): void {
    const which = percent === 100 ? "" : `numgen random mod 100 < ${percent} `;
    this.#in(site, `nft add rule inet faults input iifname eth0 ${which}counter drop`);
  }

  /** Nothing leaves `site` either. Nobody is told: no link goes down, no connection is reset. */
  cut(site: Site): void {
    this.dropArriving(site, 100);
    this.#in(site, "nft add rule inet faults output oifname eth0 counter drop");
  }

  /** Everything passes again. Returns how many packets were dropped at `site`. */
  heal(site: Site): number {
    const rules = this.#in(site, "nft list table inet faults");
    this.#in(site, "nft flush table inet faults");
    return [...rules.matchAll(/packets (\d+)/g)].reduce((sum, [, count]) => sum + Number(count), 0);
  }

  setLink(site: Site, state: "up" | "down"): void {
    this.#in(site, `ip link set eth0 ${state}`);
  }

  /** TCP connections that the kernel of `site` takes for alive, from its `port` to the other site. */
  connectionsFromPeer(site: Site, port: number): number {
    const peer = this.#addresses[site === "a" ? "b" : "a"];
    const lines = this.#in(site, `ss -Htn state established sport = :${port} dst ${peer}`);
    return lines.split("\n").filter((line) => line !== "").length;
  }

  [Symbol.dispose](): void {
    process.removeListener("exit", this.#remove);
    this.#remove();
  }

  /** Whatever of it is there, and whoever still runs in it: also after a test that never ended. */
  readonly #remove = (): void => {
    const there = run("ip", "netns", "list").split(/\s+/);
    const made = [...this.#sites, "switch"].map((part) => this.#namespace(part));
    for (const namespace of made.filter((name) => there.includes(name))) {
      const pids = run("ip", "netns", "pids", namespace).split("\n");
      for (const pid of pids.filter((pid) => pid !== "")) process.kill(Number(pid), "SIGKILL");
      run("ip", "netns", "del", namespace);
    }
  };

  #connect(site: Site): void {
    const [inside, port] = [this.#namespace(site), `to-${site}`];
    const peer = ["type", "veth", "peer", "name", "eth0", "netns", inside];
    run("ip", "-n", this.#namespace("switch"), "link", "add", port, ...peer);
    this.#in("switch", `ip link set ${port} master bridge up`);
    this.#in(site, "ip link set lo up");
    this.#in(site, `ip address add ${this.#addresses[site]}/24 dev eth0`);
    this.#in(site, "ip link set eth0 up");
    this.#in(site, "nft add table inet faults");
    for (const hook of ["input", "output"]) {
      const chain = `{ type filter hook ${hook} priority 0 ; policy accept ; }`;
      this.#in(site, `nft add chain inet faults ${hook} ${chain}`);
    }
  }

  #namespace(part: string): string {
    return `${this.#name}-${part}`;
  }

  #in(part: string, command: string): string {
    return run("ip", "netns", "exec", this.#namespace(part), ...command.split(" "));
  }
}

/** @throws Error with what the program said. */
function run(program: string, ...args: readonly string[]): string {
  return execFileSync(program, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}
