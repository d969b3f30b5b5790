import * as fc from "fast-check";
import { expect, test } from "vitest";

import { FixtureLane } from "./environment.fixture.ts";
import { arm, frameDraw, frameOf, hostileSeed, type Arsenal } from "./hostile-frames.fixture.ts";
import type { FrameDraw } from "./hostile-frames.fixture.ts";
import { HelloFeature } from "./frame-shapes.ts";
import { countingBytes } from "./frames.fixture.ts";
import { MemoryHost } from "./memory-host.fixture.ts";
import { connect, exchange, pass } from "./memory-wire.fixture.ts";
import { RawPeer } from "./raw-peer.fixture.ts";
import { syncLimits } from "./sync-limits.ts";

// Goal: a peer with a good signature and bad manners harms nobody but itself.
// Method: frames of every type that look valid, at every moment, in any order, drawn by fast-check; beside
// it an honest peer that writes. Nothing may throw, what is held has a bound, the honest peer is not cut
// off, and what it writes arrives. HEDDLE_HOSTILE_RUNS asks for more of it.

const runs = Number(process.env["HEDDLE_HOSTILE_RUNS"] ?? 25);
const honestKey = 1;

type Step =
  | { readonly does: "say"; readonly draw: FrameDraw }
  | { readonly does: "wait"; readonly seconds: number }
  | { readonly does: "write" }
  | { readonly does: "come back" };

const say = frameDraw.map((draw): Step => ({ does: "say", draw }));
const wait = fc.constantFrom(1, 5).map((seconds): Step => ({ does: "wait", seconds }));
const steps = fc.array(
  fc.oneof(
    { weight: 16, arbitrary: say },
    { weight: 1, arbitrary: wait },
    { weight: 2, arbitrary: fc.constant<Step>({ does: "write" }) },
    { weight: 1, arbitrary: fc.constant<Step>({ does: "come back" }) },
  ),
  { minLength: 5, maxLength: 60 },
);

class Scene {
  readonly victim = new MemoryHost(2);
  readonly honest = new MemoryHost(1);
  readonly lane: FixtureLane;
  #arsenal!: Arsenal;
  #hostile!: RawPeer;
  #key = 100;
  #transfer = 0;

  private constructor(lane: FixtureLane) {
    this.lane = lane;
  }

  static async open(): Promise<Scene> {
    const scene = new Scene(await FixtureLane.open(1));
    const { victim, honest, lane } = scene;
    await honest.write(lane, 3);
    scene.#arsenal = await arm(lane, honest.disk.documents.get(lane.entry.id)!.log);
    connect(honest, victim, honestKey);
    await exchange(honest, victim);
    await scene.#come();
    return scene;
  }

  async take(step: Step): Promise<void> {
    const { victim, honest, lane } = this;
    if (step.does === "say") await this.#say(step.draw);
    if (step.does === "wait") await pass(honest, victim, step.seconds * 1_000);
    if (step.does === "write") await honest.write(lane, 1);
    if (step.does === "come back") await this.#comeBack();
    await exchange(honest, victim);
    // Nobody reads these.
    this.#hostile.heard();
    const sessions = 2;
    expect(victim.replication.heldBytes).toBeLessThan(2 * sessions * syncLimits.creditBytes);
  }

  /** The victim has had enough of it. */
  get #isOver(): boolean {
    return this.victim.events.some((event) => {
      return event.name === "session.closed" && event.peer === this.#key;
    });
  }

  leave(): void {
    this.victim.replication.disconnected(this.#key, this.victim.nowMs);
  }

  async #comeBack(): Promise<void> {
    this.leave();
    await this.victim.drain();
    await this.#come();
  }

  /** Most of what it says is about the document that the others exchange, and about two lanes of it. */
  async #come(): Promise<void> {
    const nonce = countingBytes(32, ++this.#key);
    const { entries, lanes } = this.#arsenal;
    this.#hostile = await RawPeer.greet(this.victim, this.#key, hostileSeed, {
      nonce,
      features: HelloFeature.library,
    });
    this.#hostile.open(entries[0]!, 0);
    for (const [ref, lane] of lanes.entries()) this.#hostile.lane(lane, ref);
    await this.victim.drain();
  }

  async #say(draw: FrameDraw): Promise<void> {
    if (this.#isOver && draw.index > 3) await this.#comeBack();
    const { vector } = this.victim.disk.documents.get(this.lane.entry.id)!;
    const { seq, head } = vector.get(this.lane.descriptor.id)!;
    const frame = frameOf(this.#arsenal, draw, { seq: seq + 1, prev: head });
    if (frame === undefined) this.#hostile.sendBytes(countingBytes(draw.index + 1, draw.flags));
    else if (draw.name === "parts") this.#hostile.sendInParts(frame, ++this.#transfer);
    else this.#hostile.send(frame);
  }
}

test("[WIR-7, WIR-8, WIR-12] whatever a hostile peer says, others go on, and nothing of it stays", async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (drawn) => {
      const scene = await Scene.open();
      const { victim, honest, lane } = scene;
      for (const step of drawn) await scene.take(step);
      await honest.write(lane, 2);
      await pass(honest, victim, 45_000);
      const cutOff = victim.events.filter((event) => {
        return event.name === "session.closed" && event.peer === honestKey;
      });
      expect(cutOff).toEqual([]);
      const frozen = victim.events.filter((event) => event.name === "lane.forked");
      expect(frozen.map((event) => event.lane)).not.toContain(lane.descriptor.id);
      const ids = (host: MemoryHost) => {
        const { log } = host.disk.documents.get(lane.entry.id)!;
        return log.filter((envelope) => envelope.lane === lane.descriptor.id).map(({ id }) => id);
      };
      expect(ids(victim)).toEqual(ids(honest));
      scene.leave();
      await pass(honest, victim, 330_000, undefined, 10_000);
      expect(victim.replication.heldBytes).toBe(0);
      expect(victim.replication.documentCount).toBeLessThanOrEqual(
        honest.replication.documentCount,
      );
    }),
    { numRuns: runs },
  );
});
