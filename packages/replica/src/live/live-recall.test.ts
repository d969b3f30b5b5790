import { afterEach, expect, test } from "vitest";
import * as Y from "yjs";

import { auditAfter } from "../audit-tail.ts";
import { nestedArrays, subdocumentWithoutGuid } from "../hostile.fixture.ts";
import { ProcessJudge } from "../node-process-judge.ts";
import { notes } from "../replica.fixture.ts";
import type { RefusedEvent, ResetEvent } from "./live-events.ts";
import { openLive, textOnDisk } from "./live.fixture.ts";

let judge: ProcessJudge;
afterEach(() => judge.close());

const wait = { timeout: 90_000 };

test(
  "[LIV-8][DOC-9] a document of which a part is recalled is replaced, with everything that was typed",
  { timeout: 120_000 },
  async () => {
    judge = new ProcessJudge();
    const { live, replica, disk } = await openLive({ judge, auditDelayMs: 1 });
    const document = live();
    await document.whenLoaded();
    const first = document.ydoc;
    const resets: ResetEvent[] = [];
    document.on("reset", (event) => resets.push(event));
    first.getText("text").insert(0, "saved ");
    await document.whenSaved();
    const logged = await replica.acquire(notes);
    // Each nests 60 levels deeper: harmless alone, and the fifth is one too many.
    const nested = nestedArrays(60, 8);
    const writer = new Y.Doc();
    for (let round = 0; round < auditAfter.envelopes - nested.length; round++) {
      const before = Y.encodeStateVector(writer);
      writer.getText("other").insert(0, "x");
      logged.submit(Y.encodeStateAsUpdate(writer, before), {});
      await logged.whenSettled();
    }
    for (const update of nested) {
      logged.submit(update, {});
      await logged.whenSettled();
    }
    // Somebody types on while the audit finds out, and after it.
    const typing = setInterval(() => {
      const text = document.ydoc.getText("text");
      text.insert(text.length, "a");
    }, 5);
    await expect.poll(() => resets.length, wait).toBe(1);
    clearInterval(typing);
    expect(resets[0]!.error.code).toBe("HEDDLE_DOCUMENT_RESET");
    expect(resets[0]!.generation).toBe(1);
    expect(resets[0]!.previous === first).toBe(true);
    const typed = document.ydoc.getText("text").toJSON();
    expect(typed.startsWith(first.getText("text").toJSON())).toBe(true);
    await document.whenSaved();
    expect(textOnDisk(disk)).toBe(typed);
    expect(document.status).toMatchObject({ state: "saved", generation: 1, unsaved: 0 });
    // Only the first four levels of nesting are left.
    expect(first.getArray("nest").length).toBe(1);
    expect(Y.encodeStateAsUpdate(document.ydoc).length).toBeLessThan(
      Y.encodeStateAsUpdate(first).length,
    );
    await document.close();
  },
);

test(
  "[LIV-8][DOC-7] what an application imports is tried first; if it fails, own edits beside it stay",
  { timeout: 120_000 },
  async () => {
    judge = new ProcessJudge();
    const { live, disk } = await openLive({ judge });
    const document = live();
    await document.whenLoaded();
    const refused: RefusedEvent[] = [];
    document.on("refused", (event) => refused.push(event));
    document.ydoc.getText("text").insert(0, "before ");
    await document.whenSaved();
    const hostile = subdocumentWithoutGuid();
    Y.applyUpdate(document.ydoc, hostile, "a provider that nobody should trust");
    document.ydoc.getText("text").insert(7, "behind");
    await expect.poll(() => refused.length, wait).toBe(1);
    expect(refused[0]!.error.code).toBe("HEDDLE_UPDATE_REFUSED");
    expect(refused[0]!.edits).toBe(1);
    await expect.poll(() => document.status.state, wait).toBe("saved");
    expect(document.ydoc.getText("text").toJSON()).toBe("before behind");
    expect(document.ydoc.getMap("docs").size).toBe(0);
    expect(textOnDisk(disk)).toBe("before behind");
    await document.close();
  },
);
