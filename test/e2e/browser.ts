import { existsSync } from "node:fs";
import { chromium, type Browser } from "playwright-core";

/** Debian's own. Nothing is downloaded for a test. */
const chromiumPath = "/usr/bin/chromium";

/** Why there can be no browser test here; `undefined` when there can. */
export const noBrowserReason = existsSync(chromiumPath)
  ? undefined
  : `no browser: ${chromiumPath} is missing (Debian: apt-get install chromium)`;

export function launchBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: chromiumPath,
    headless: true,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
}
