import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { describe, expect, it } from "vitest";

import { RelayProcess } from "../processes/relay-process.ts";
import { launchBrowser, noBrowserReason } from "./browser.ts";

// Goal: what a browser hears when the relay refuses something is what docs/errors.md says, and not just 1006.
// Method: a real page with the browser's own WebSocket, which splits large messages as it likes.

const miB = 1024 * 1024;

describe.skipIf(noBrowserReason !== undefined)("a page that is refused", () => {
  it("[RLY-9] hears 4413 for a message that is too large, and is served below that", async () => {
    const data = await mkdtemp(join(tmpdir(), "heddle-refusals-"));
    await using relay = await RelayProcess.start({ app: "apps/notes/dist", data });
    const browser = await launchBrowser();
    try {
      const page = await browser.newPage();
      await page.goto(relay.url);
      const closing = (bytes: number): Promise<{ code: number; reason: string }> =>
        page.evaluate(
          ({ url, size }) =>
            new Promise((resolve) => {
              const socket = new WebSocket(`${url.replace("http", "ws")}/refusals`);
              socket.addEventListener("open", () => socket.send(new Uint8Array(size)));
              socket.addEventListener("close", ({ code, reason }) => resolve({ code, reason }));
            }),
          { url: relay.url, size: bytes },
        );
      expect(await closing(16 * miB + 1)).toEqual({
        code: 4413,
        reason: "HEDDLE_FRAME_TOO_LARGE",
      });
      // As large as can be, and read to the end: zeros are a sync step 1 with bytes behind it.
      expect(await closing(16 * miB)).toEqual({ code: 4400, reason: "HEDDLE_FRAME_MALFORMED" });
    } finally {
      await browser.close();
      await rm(data, { recursive: true, force: true });
    }
  });
});
