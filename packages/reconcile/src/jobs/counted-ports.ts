import type { ProjectionSource } from "../projection-source.ts";
import type { ProjectionStore } from "../projection-store.ts";
import type { JobPace } from "./job-pace.ts";

/** A store whose readings count against the pace of a job, whoever makes them. */
export function countedStore(store: ProjectionStore, pace: JobPace): ProjectionStore {
  return {
    counters: store.counters,
    async get(paths) {
      pace.count(paths.length);
      return await store.get(paths);
    },
    async readPage(range) {
      const page = await store.readPage(range);
      pace.count(Math.max(1, page.length));
      return page;
    },
    async readAudit(after, limit) {
      const entries = await store.readAudit(after, limit);
      pace.count(Math.max(1, entries.length));
      return entries;
    },
    apply: (batch, conditions) => store.apply(batch, conditions),
    acquireLease: (name, holder, ttlMs) => store.acquireLease(name, holder, ttlMs),
    renewLease: (lease, ttlMs) => store.renewLease(lease, ttlMs),
    releaseLease: (lease) => store.releaseLease(lease),
    close: () => store.close(),
  };
}

/** The same of a source. A document that is read with its content counts once, however large. */
export function countedSource(source: ProjectionSource, pace: JobPace): ProjectionSource {
  return {
    storeId: source.storeId,
    async readDocuments(after, limit) {
      const page = await source.readDocuments(after, limit);
      pace.count(Math.max(1, page.length));
      return page;
    },
    describeFeed() {
      pace.count(1);
      return source.describeFeed();
    },
    readFeed(after, limit) {
      pace.count(1);
      return source.readFeed(after, limit);
    },
    describe(document) {
      pace.count(1);
      return source.describe(document);
    },
    look(document, accept) {
      pace.count(1);
      return source.look(document, accept);
    },
    read(document, accept) {
      pace.count(1);
      return source.read(document, accept);
    },
    readChanges(document, above, accept) {
      pace.count(1);
      return source.readChanges(document, above, accept);
    },
  };
}
