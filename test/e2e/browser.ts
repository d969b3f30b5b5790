import { existsSync } from "node:fs";
import { chromium, type Browser } from "playwright-core";

/** Debian's own. Nothing is downloaded for a test. */
const chromiumPath = "/usr/bin/chromium";

/** Why there can be no browser test here; `undefined` when there can. */
export const noBrowserReason = existsSync(chromiumPath)
  ? undefined
  : `no browser: ${chromiumPath} is missing (Debian: apt-get install chromium)`;
// Each file of browser tests imports this: none of them is skipped without a word, and none at all in CI.
if (noBrowserReason !== undefined) {
  if (process.env["CI"]) throw new Error(noBrowserReason);
  console.warn(`SKIPPED: ${noBrowserReason}`);
}

/** A name of this machine that the browser does not take for one: pages there are no secure context. */
export const insecureHost = "app.heddle.test";

export function launchBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: chromiumPath,
    headless: true,
    // As people have it: a page that is left may be kept, and shown again as it was.
    ignoreDefaultArgs: ["--disable-back-forward-cache"],
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      `--host-resolver-rules=MAP ${insecureHost} 127.0.0.1`,
    ],
  });
}
