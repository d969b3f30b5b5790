import {
  HybridClock,
  openSpaceId,
  type DocumentEntry,
  type Environment,
  type LaneId,
} from "@heddle/core";
import { yjsEngine } from "@heddle/document";
import { checkpointDocument, EngineFolder, loadDocument, pruneDocument } from "@heddle/replica";
import { openLevelStore, type LevelLogStore } from "@heddle/storage-level";
import { collect, testDocument, testEnvironment, TestWriter } from "@heddle/testkit";
import * as Y from "yjs";

/** Documents that people typed into: each session is a Yjs client and a lane of its own. */
export class TypedText {
  readonly environment;
  readonly document: DocumentEntry;
  readonly #state = new Y.Doc();
  #client = 1000;

  constructor(seed: string, name: string) {
    this.environment = testEnvironment(seed, { timers: "real" });
    this.document = testDocument(this.environment, name);
  }

  get text(): string {
    return this.#state.getText("text").toString();
  }

  /** Types `words`, one envelope for each, and returns the lane. */
  async type(store: LevelLogStore, words: readonly string[]): Promise<LaneId> {
    const writer = await TestWriter.open(this.environment);
    await store.append({ documents: [this.document], lanes: [writer.lane] });
    const person = new Y.Doc();
    person.clientID = this.#client++;
    Y.applyUpdate(person, Y.encodeStateAsUpdate(this.#state));
    const updates: Uint8Array[] = [];
    person.on("update", (update: Uint8Array) => updates.push(update));
    for (const word of words) person.getText("text").insert(0, word);
    for (const update of updates) {
      this.environment.clock.advance(1);
      await store.append({ envelopes: [writer.seal(this.document.id, update)] });
    }
    Y.applyUpdate(this.#state, Y.encodeStateAsUpdate(person));
    return writer.lane.id;
  }
}

/** The text of a document as a replica would load it. */
export async function textIn(store: LevelLogStore, entry: DocumentEntry): Promise<string> {
  const environment: Environment = testEnvironment("reader");
  const { fold } = await loadDocument(store, environment, entry);
  const document = new Y.Doc();
  Y.applyUpdate(document, fold.encodeSince());
  return document.getText("text").toString();
}

export async function inStore<Value>(
  folder: string,
  work: (store: LevelLogStore) => Promise<Value>,
): Promise<Value> {
  const environment = testEnvironment(`opening ${Math.random()}`, { timers: "real" });
  const store = await openLevelStore(folder, { environment });
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}

export async function lanesIn(store: LevelLogStore): Promise<LaneId[]> {
  return (await collect(store.readLanes())).map(({ id }) => id);
}

/** Makes a checkpoint of a document. */
export async function checkpoint(store: LevelLogStore, text: TypedText): Promise<void> {
  await build(store, text);
}

/** Makes a checkpoint of a document and drops what it covers; returns how many envelopes that was. */
export async function prune(store: LevelLogStore, text: WrittenDocument): Promise<number> {
  const { builder, built } = await build(store, text);
  return pruneDocument(builder, built.checkpoint);
}

type WrittenDocument = Pick<TypedText, "environment" | "document">;

async function build(store: LevelLogStore, { environment, document }: WrittenDocument) {
  const clock = new HybridClock(environment.clock);
  const builder = {
    store,
    environment,
    folder: new EngineFolder(yjsEngine, environment),
    signer: environment.signer,
    space: openSpaceId(environment.hash),
    tick: () => clock.tick(),
  };
  const built = await checkpointDocument(builder, document.id);
  if (built.outcome !== "built") throw new Error(`no checkpoint: ${JSON.stringify(built)}`);
  return { builder, built };
}
