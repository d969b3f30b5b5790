import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

import type { BrowserContext, Page } from "playwright-core";

import { insecureHost } from "./browser.ts";
import { bundlePage } from "./bundle-page.ts";

/** Paths, and the scripts that are there. */
export type Scripts = ReadonlyMap<string, string>;

/** Serves a program as a page of an origin of its own. */
export class PageSite implements AsyncDisposable {
  readonly origin: string;
  /** The same site without HTTPS and under a name: a browser trusts only its own machine so. */
  readonly insecureOrigin: string;
  readonly #close: () => void;

  private constructor(port: number, close: () => void) {
    this.origin = `http://127.0.0.1:${port}`;
    this.insecureOrigin = `http://${insecureHost}:${port}`;
    this.#close = close;
  }

  /** One of `test/e2e/pages`. */
  static async start(program: string): Promise<PageSite> {
    return PageSite.serve(new Map([["/page.js", await bundlePage(program)]]));
  }

  /** The page begins with `/page.js`. */
  static async serve(scripts: Scripts): Promise<PageSite> {
    const server = createServer(({ url = "/" }, response) => {
      const script = scripts.get(url);
      response.writeHead(200, { "Content-Type": script ? "text/javascript" : "text/html" });
      response.end(script ?? '<!doctype html><script type="module" src="/page.js"></script>');
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    return new PageSite(port, () => {
      server.closeAllConnections();
      server.close();
    });
  }

  /** A new tab, once its program says `ready`; fails with whatever the page throws. */
  async open(context: BrowserContext, origin = this.origin): Promise<Page> {
    const tab = await context.newPage();
    const broken = new Promise<never>((_resolve, reject) => {
      tab.on("pageerror", reject);
      tab.on("console", (message) => {
        if (message.type() === "error") reject(new Error(message.text()));
      });
    });
    // After the page is ready it is for the test to look at `pageerror`.
    broken.catch(() => undefined);
    await tab.goto(origin);
    await Promise.race([tab.waitForFunction("globalThis.isReady === true"), broken]);
    return tab;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#close();
  }
}
