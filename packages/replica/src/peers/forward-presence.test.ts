import type { DocumentId } from "@heddle/core";
import type { PeerChoice } from "@heddle/sync";
import { expect, test } from "vitest";
import { applyAwarenessUpdate, Awareness, encodeAwarenessUpdate } from "y-protocols/awareness";
import * as Y from "yjs";

import { forwardPresence } from "./forward-presence.ts";
import { isPresenceQuestion, PeerPresence, presenceQuestion } from "./peer-presence.ts";

const notes = "notes" as DocumentId;

/** Three peers around one replica, each with a table of its own of who is there. */
function newStar() {
  const tables = new Map([1, 2, 3].map((peer) => [peer, new Awareness(new Y.Doc())]));
  const asked: PeerChoice[] = [];
  const presence = new PeerPresence((_document, bytes, to) => {
    if (isPresenceQuestion(bytes)) return void asked.push(to);
    for (const [peer, table] of tables) {
      if (peer !== to.except && peer === (to.only ?? peer)) applyAwarenessUpdate(table, bytes, "");
    }
  });
  const end = forwardPresence(presence);
  const say = (peer: number, payload: Uint8Array): void => {
    presence.onEvent({ name: "ephemeral", peer, document: notes, payload });
  };
  const names = (peer: number) => {
    const others = [...tables.get(peer)!.getStates().values()];
    return others.flatMap(({ name }) => (name === undefined ? [] : [name as string])).toSorted();
  };
  return { presence, tables, asked, say, names, end };
}

function named(name: string): Awareness {
  const awareness = new Awareness(new Y.Doc());
  awareness.setLocalState({ name });
  return awareness;
}

const whole = (awareness: Awareness) => encodeAwarenessUpdate(awareness, [awareness.clientID]);
const delivered = () => new Promise((resolve) => setImmediate(resolve));

test("[CLT-7] who is at one peer is shown to the others, and is gone with that peer", async () => {
  const { presence, say, names, end } = newStar();
  say(1, whole(named("Ada")));
  say(2, whole(named("Bo")));
  await delivered();
  expect([names(1), names(2), names(3)]).toEqual([["Bo"], ["Ada"], ["Ada", "Bo"]]);
  presence.onEvent({ name: "session.closed", peer: 1, code: "HEDDLE_SESSION_CLOSED" });
  await delivered();
  expect([names(2), names(3)]).toEqual([[], ["Bo"]]);
  end();
});

test("[CLT-7] whoever comes later is told who is there, and the others are asked", async () => {
  const { presence, asked, say, names, end } = newStar();
  say(1, whole(named("Ada")));
  await delivered();
  presence.onEvent({ name: "presence.due", peer: 3, document: notes });
  say(2, presenceQuestion);
  await delivered();
  expect(names(3)).toEqual(["Ada"]);
  expect(asked).toEqual([
    { only: undefined, except: 3 },
    { only: undefined, except: 2 },
  ]);
  end();
});

test("what is no presence is counted and goes nowhere, and what is no news goes nowhere either", async () => {
  const { presence, say, tables, end } = newStar();
  const ada = whole(named("Ada"));
  say(1, ada);
  await delivered();
  let heard = 0;
  tables.get(2)!.on("update", () => heard++);
  say(1, ada);
  say(1, Uint8Array.of(9, 255, 1));
  await delivered();
  expect(heard).toBe(0);
  expect(presence.refused).toBe(1);
  end();
});

test("[CLT-7] the parts of this process hear of each client once, from where it came", async () => {
  const { presence, say, end } = newStar();
  const heard: unknown[] = [];
  presence.join(
    {
      onPresence: (_document, _update, from) => heard.push(from),
      onPresenceDue: () => undefined,
      onPresenceEnded: (from) => heard.push(["ended", from]),
    },
    notes,
  );
  say(1, whole(named("Ada")));
  await delivered();
  presence.onEvent({ name: "session.closed", peer: 1, code: "HEDDLE_SESSION_CLOSED" });
  await delivered();
  // A goodbye that came twice would make the clock of the client known again, and its return no news.
  expect(heard).toEqual([1, ["ended", 1]]);
  end();
});
