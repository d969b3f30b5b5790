// Runs as the page's service worker: what was loaded once opens again while the relay cannot be reached.
// Only files of the page are kept here; notes are in the store of the provider.
declare const self: ServiceWorkerGlobalScope;

/** All files of this build, from the site's root; filled in by the build (offline-files.ts). */
declare const HEDDLE_OFFLINE_FILES: readonly string[];
/** A hash of their names and bytes. */
declare const HEDDLE_OFFLINE_VERSION: string;

const cachePrefix = "heddle-notes-";
const cacheName = cachePrefix + HEDDLE_OFFLINE_VERSION;
const page = "/";
/** Longer nobody looks at an empty window while the page is kept here. */
const answerMsMax = 3_000;
const files: ReadonlySet<string> = new Set(HEDDLE_OFFLINE_FILES);

self.addEventListener("install", (event) => {
  event.waitUntil(keepFiles());
});

// Pages of the build before are closed by now: a new worker waits for that, and takes no file from under them.
self.addEventListener("activate", (event) => {
  event.waitUntil(dropOlderFiles());
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const { origin, pathname } = new URL(request.url);
  if (request.method !== "GET" || origin !== self.location.origin) return;
  if (pathname === page) event.respondWith(newestPage());
  else if (files.has(pathname)) event.respondWith(keptFile(request, pathname));
});

/** All or nothing: a page that lacks one of its files is no page. */
async function keepFiles(): Promise<void> {
  const cache = await caches.open(cacheName);
  // Past the browser's own cache, which may hold files of the build before.
  await cache.addAll([...files].map((file) => new Request(file, { cache: "reload" })));
}

async function dropOlderFiles(): Promise<void> {
  const names = await caches.keys();
  const older = names.filter((name) => name.startsWith(cachePrefix) && name !== cacheName);
  await Promise.all(older.map((name) => caches.delete(name)));
  await self.clients.claim();
}

/** The relay's, while it answers: another build is there at once, and another site at this address, too. */
async function newestPage(): Promise<Response> {
  const cache = await caches.open(cacheName);
  const kept = await cache.match(page);
  if (kept === undefined) return fetch(page);
  try {
    const signal = AbortSignal.timeout(answerMsMax);
    const response = await fetch(page, { signal, redirect: "manual" });
    // What stands before a relay that is down says so with 502, 503 or 504.
    return response.status >= 500 ? kept : response;
  } catch {
    return kept; // Nobody is there, or too slow.
  }
}

/** Files have a hash in their name: the one that is kept is the one that is meant. */
async function keptFile(request: Request, pathname: string): Promise<Response> {
  const cache = await caches.open(cacheName);
  // The browser may have cleared it for room.
  return (await cache.match(pathname)) ?? fetch(request);
}
