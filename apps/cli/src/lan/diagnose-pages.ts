import { HeddleError, HeddleErrorCode } from "@heddle/core";
import type { LanFinding } from "@heddle/lan";
import { isLoopback, isPageOrigin } from "@heddle/relay";

/** Less than a page waits, and more than this machine takes. */
const answerMsMax = 2_500;

/** What keeps browser pages of this machine from the peer that runs on it. */
export async function diagnosePages(
  port: number,
  origins: readonly string[],
): Promise<readonly LanFinding[]> {
  return [await doorOf(port), ...origins.map(originOf)];
}

async function doorOf(port: number): Promise<LanFinding> {
  const check = "pages";
  try {
    const signal = AbortSignal.timeout(answerMsMax);
    const { status } = await fetch(`http://127.0.0.1:${port}/`, { signal });
    if (status === 426) return { check, isFine: true, what: `pages are let in at port ${port}` };
  } catch {
    // Nobody, or somebody who speaks something else: it comes to the same.
  }
  const what = `no heddle peer lets pages in at port ${port}`;
  const advice = "heddle peer --pages PORT --allow-origin ORIGIN, on this machine";
  return { check, isFine: false, cause: "pages-not-running", what, advice };
}

/** Browsers guard this machine and its network against pages from elsewhere. */
function originOf(origin: string): LanFinding {
  const check = "pages";
  if (!isPageOrigin(origin)) {
    const message = `${origin} is no origin of a page, as in https://notes.example`;
    throw new HeddleError(HeddleErrorCode.configInvalid, message);
  }
  const { protocol, hostname, origin: ofWeb } = new URL(origin);
  if (ofWeb === "null" || isLoopback(hostname.replace(/^\[|\]$/g, ""))) {
    return { check, isFine: true, what: `pages of ${origin} are of this machine` };
  }
  if (protocol === "https:") {
    return {
      check,
      isFine: true,
      what: `pages of ${origin} come from elsewhere`,
      advice:
        "the browser may ask first whether they may reach this machine or the local network: allow it, " +
        "or look for it in the settings of the page",
    };
  }
  const what = `pages of ${origin} come without HTTPS: browsers do not let them reach this machine`;
  const advice = "serve the page with https:, or from this machine";
  return { check, isFine: false, cause: "pages-not-secure", what, advice };
}
