import type { CommandIo } from "../command-io.ts";
import type { Crew } from "./crew.ts";

/** Up one line and clear it: the next line takes the place of the last. */
const overLastLine = "\u001b[1A\u001b[2K";

const watchedEveryMs = 250;
const loggedEveryMs = 5_000;

export interface ProgressLineOptions {
  readonly crew: Crew;
  readonly transactions: number;
  readonly quiet: boolean;
}

/**
 * Says how far a replay is: one line that is rewritten for a person who watches, a line now and then
 * for a log, nothing at all if the replay is quiet and nobody watches. Returns what stops it.
 */
export function startProgressLines(io: CommandIo, options: ProgressLineOptions): () => void {
  if (options.quiet && !io.isTTY) return () => {};
  const startedAtMs = performance.now();
  let isFirst = true;
  const timer = setInterval(
    () => {
      const over = io.isTTY && !isFirst ? overLastLine : "";
      io.err(over + progressLine(options, performance.now() - startedAtMs));
      isFirst = false;
    },
    io.isTTY ? watchedEveryMs : loggedEveryMs,
  );
  return () => clearInterval(timer);
}

function progressLine({ crew, transactions }: ProgressLineOptions, elapsedMs: number): string {
  const typed = crew.ledger.length;
  const rate = Math.round((typed / elapsedMs) * 1000);
  const connected = crew.members.filter(({ client }) => client.isConnected).length;
  return `${typed} of ${transactions} typed, ${rate}/s, ${connected} of ${crew.members.length} connected, ${crew.reconnects} reconnects`;
}
