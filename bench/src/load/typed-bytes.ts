import * as encoding from "lib0/encoding";
import { messageSync, syncUpdate } from "./client-frames.ts";
import type { Sample, TypedBytesJob } from "./jobs.ts";
import { connectInMemory } from "./memory-connections.ts";
import { openBenchReplica } from "./bench-replica.ts";
import { applyEdit, readTrace, typeTrace } from "./trace.ts";
import { VirtualTime } from "./virtual-time.ts";
import { WorkInFlight } from "./work-in-flight.ts";

const name = "bench-typed";
/** Long enough for the last window, acknowledgement and digest. */
const restMs = 60_000;

/** Types the trace at an even speed and counts what crosses one connection: payloads of messages, both ways. */
export async function runTypedBytes(job: TypedBytesJob): Promise<Sample> {
  const { wire, edits, watchedEdits, typingMs } = job;
  const type = async (count: number, isWatched: boolean): Promise<Carried> => {
    if (wire === "y-websocket") return stockBytes(count);
    return await typeBetweenReplicas({ edits: count, typingMs, isWatched });
  };
  const startedAt = process.cpuUsage();
  const alone = await type(edits, false);
  const watched = await type(watchedEdits, true);
  const { user, system } = process.cpuUsage(startedAt);
  return {
    edits,
    bytesPerKey: alone.bytes / edits,
    megabytes: alone.bytes / 1e6,
    messagesPerKey: alone.messages / edits,
    watchedEdits,
    watchedBytesPerKey: watched.bytes / watchedEdits,
    watchedMessagesPerKey: watched.messages / watchedEdits,
    cpuSeconds: (user + system) / 1e6,
  };
}

interface Carried {
  readonly bytes: number;
  readonly messages: number;
}

/** What y-websocket sends up: each transaction at once, in a message of its own. Its echo is not counted. */
function stockBytes(edits: number): Carried {
  const { updates } = typeTrace(edits);
  const bytes = updates.reduce((sum, update) => sum + stockMessageLength(update), 0);
  return { bytes, messages: updates.length };
}

function stockMessageLength(update: Uint8Array): number {
  return encoding.encode((encoder) => {
    encoding.writeVarUint(encoder, messageSync);
    encoding.writeVarUint(encoder, syncUpdate);
    encoding.writeVarUint8Array(encoder, update);
  }).length;
}

interface Typing extends Pick<TypedBytesJob, "edits" | "typingMs"> {
  /**
   * Somebody else has the document open at the writer's, as in a second window: edits then wait for
   * others for 40 ms only, not for 500 ms.
   */
  readonly isWatched: boolean;
}

async function typeBetweenReplicas({ edits, typingMs, isWatched }: Typing): Promise<Carried> {
  const [time, work] = [new VirtualTime(), new WorkInFlight()];
  const [writer, reader] = [await openBenchReplica(time, work), await openBenchReplica(time, work)];
  const [typed, shown] = [writer.live.document(name), reader.live.document(name)];
  if (isWatched) writer.live.document(name);
  const [own, other] = connectInMemory(time, work);
  writer.host.connect(own, "initiator");
  reader.host.connect(other, "acceptor");
  let nowMs = 5_000;
  await work.settled();
  await time.advance(nowMs, work.settled);
  const before = own.counters.bytesSent + own.counters.bytesReceived;
  const messagesBefore = own.counters.framesSent + own.counters.framesReceived;
  const text = typed.ydoc.getText("text");
  for (const patches of readTrace(edits)) {
    typed.ydoc.transact(() => applyEdit(text, patches));
    nowMs += typingMs;
    await time.advance(nowMs, work.settled);
  }
  await time.advance(nowMs + restMs, work.settled);
  if (shown.ydoc.getText("text").toJSON() !== text.toJSON()) {
    throw new Error("the other replica does not show what was typed");
  }
  return {
    bytes: own.counters.bytesSent + own.counters.bytesReceived - before,
    messages: own.counters.framesSent + own.counters.framesReceived - messagesBefore,
  };
}
