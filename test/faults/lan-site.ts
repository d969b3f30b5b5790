import path from "node:path";

import { ProgramProcess } from "../processes/program.ts";
import type { Site, SmallNetwork } from "../processes/small-network.ts";

export interface LanDeviceOptions {
  readonly network: SmallNetwork;
  readonly site: Site;
  readonly folder: string;
  readonly program: string;
  /** `host:port` of peers that are known beforehand. */
  readonly addresses?: readonly string[];
}

/** A replica with its own folder on one machine of a network, driven by lines (lan-device-program). */
export class LanDevice {
  readonly name: string;
  readonly folder: string;
  readonly #process: ProgramProcess;
  #last: Promise<unknown> = Promise.resolve();

  private constructor({ network, site, folder, program, addresses = [] }: LanDeviceOptions) {
    this.name = `device ${site}`;
    this.folder = path.join(folder, site);
    const args = [this.folder, this.name, ...addresses];
    this.#process = new ProgramProcess(program, args, network.through(site));
  }

  static async start(options: LanDeviceOptions): Promise<LanDevice> {
    const device = new LanDevice(options);
    if ((await device.#process.nextLine()) !== "open") throw new Error("it did not open");
    return device;
  }

  /** One order after the other: each is answered by one line. */
  ask<Answer>(order: string): Promise<Answer> {
    const answered = this.#last.then(async () => {
      this.#process.write(order);
      return JSON.parse((await this.#process.nextLine()) ?? '"it has ended"') as Answer;
    });
    this.#last = answered;
    return answered;
  }

  list(): Promise<readonly string[]> {
    return this.ask("list");
  }

  /** Names of the devices that it has a connection to. */
  async connected(): Promise<readonly string[]> {
    const peers = await this.ask<readonly (readonly [string, string])[]>("peers");
    return peers.filter(([, state]) => state === "connected").map(([name]) => name);
  }

  /** Pairs it with another one, as two people do. */
  pairWith(other: LanDevice): Promise<void> {
    return this.pairBy((link) => other.ask(`join ${link}`));
  }

  async pairBy(join: (link: string) => Promise<unknown>): Promise<void> {
    await join(await this.ask<string>("pair"));
    // The line that says whom it was paired with.
    await this.#process.nextLine();
  }

  async stop(): Promise<void> {
    this.#process.write("stop");
    await this.#process.finish();
  }

  kill(): void {
    this.#process.kill();
  }
}
