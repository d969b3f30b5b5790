import type { HeddleError } from "@heddle/core";
import type { AnnouncedText, Discovery, RunningDiscovery, Sighting } from "@heddle/sync";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

/** A network on which machines discover each other. */
export interface DiscoverySite {
  at(host: string): Discovery;
  /** Bytes as anybody can send them. */
  send(packet: Buffer, host: string): void;
  /** What went over the network so far. */
  readonly packets: readonly Buffer[];
  /** Sockets that are still there. */
  readonly socketCount: number;
}

const patience = { timeout: 20_000, interval: 5 };

/** What every `Discovery` owes. */
export function describeDiscoveryContract(name: string, makeSite: () => DiscoverySite): void {
  describe(`Discovery contract: ${name}`, () => {
    let site: DiscoverySite;
    let running: Watched[] = [];

    beforeEach(() => {
      running = [];
      site = makeSite();
    });

    afterEach(async () => {
      await Promise.all(running.map((each) => each.discovery.stop()));
      expect(site.socketCount).toBe(0);
    });

    const start = (host: string, instance: string, text: AnnouncedText = { v: "1" }): Watched => {
      const watched = new Watched(site.at(host), instance, text);
      running.push(watched);
      return watched;
    };

    it("tells each of the other, where its packets come from, and nobody of itself", async () => {
      const ada = start("10.0.0.1", "ada", { v: "1", n: "00ff" });
      const bo = start("10.0.0.2", "bo");
      await vi.waitFor(() => {
        const adaSeen = { instance: "ada", host: "10.0.0.1", port: 4711 };
        expect(bo.seen).toEqual([{ ...adaSeen, text: { v: "1", n: "00ff" } }]);
        expect(ada.seen).toMatchObject([{ instance: "bo", host: "10.0.0.2", port: 4711 }]);
      }, patience);
    });

    it("tells of a goodbye, and of whoever comes back under another name", async () => {
      const ada = start("10.0.0.1", "ada");
      const bo = start("10.0.0.2", "bo");
      await vi.waitFor(() => expect(ada.seen).toHaveLength(1), patience);
      await bo.discovery.stop();
      await vi.waitFor(() => expect(ada.gone).toEqual(["bo"]), patience);
      start("10.0.0.3", "bo again");
      await vi.waitFor(() => {
        expect(ada.seen.map(({ instance, host }) => [instance, host])).toEqual([
          ["bo", "10.0.0.2"],
          ["bo again", "10.0.0.3"],
        ]);
      }, patience);
    });

    it("tells nothing after it was stopped", async () => {
      const ada = start("10.0.0.1", "ada");
      await ada.discovery.stop();
      const bo = start("10.0.0.2", "bo");
      start("10.0.0.3", "cy");
      await vi.waitFor(() => expect(bo.seen).toHaveLength(1), patience);
      ada.discovery.search();
      expect([ada.seen, ada.gone, ada.troubles]).toEqual([[], [], []]);
    });

    it("[LAN-7] outlives every packet that somebody can make of another one", async () => {
      const ada = start("10.0.0.1", "ada", { v: "1", n: "0011223344556677" });
      const bo = start("10.0.0.2", "bo");
      await vi.waitFor(() => expect(bo.seen).toHaveLength(1), patience);
      for (const packet of damaged([...site.packets])) site.send(packet, "10.0.0.9");
      const cy = start("10.0.0.3", "cy");
      await vi.waitFor(() => {
        for (const { seen } of [ada, bo]) {
          expect(seen.map(({ instance }) => instance)).toContain("cy");
        }
        expect(cy.seen.length).toBeGreaterThanOrEqual(1);
      }, patience);
    });
  });
}

/** One bit or more is another one, and the end may be missing; and two that are none at all. */
function damaged(genuine: readonly Buffer[]): readonly Buffer[] {
  const mutants = Array.from({ length: 300 }, (_, round) => {
    const packet = Buffer.from(genuine[round % genuine.length]!);
    packet[(round * 31) % packet.length]! ^= 1 + (round % 255);
    return packet.subarray(0, packet.length - (round % 7));
  });
  return [...mutants, Buffer.alloc(60_000, 0xff), Buffer.alloc(0)];
}

/** One side, and what it was told. */
class Watched {
  readonly seen: Sighting[] = [];
  readonly gone: string[] = [];
  readonly troubles: HeddleError[] = [];
  readonly discovery: RunningDiscovery;

  constructor(discovery: Discovery, instance: string, text: AnnouncedText) {
    const announcement = { instance, port: 4711, text };
    this.discovery = discovery.start(announcement, {
      onSeen: (sighting) => this.seen.push(sighting),
      onGone: (gone) => this.gone.push(gone),
      onTrouble: (error) => this.troubles.push(error),
    });
  }
}
