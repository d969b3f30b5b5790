import { parseArgs } from "node:util";
import { aimsRounds } from "./aims-form.ts";
import { fullPlan, quickPlan, type Plan } from "./plan.ts";
import { allRows } from "./rows/all-rows.ts";

export const usage = `usage: npm run bench -- [options]

  --quick          one short round, under a minute: does it run, is anything far off
  --aims           only the rows that an aim was set for, beside the servers that it was set beside,
                   in ${aimsRounds} rounds: half an hour on a quiet machine
  --rounds N       rounds to run (1 to 50)
  --rows A,B       only these rows: ${allRows.map(({ id }) => id).join(", ")}
  --servers A,B    only these servers, by the start of their names: heddle, y-websocket, hocuspocus, raw, ...
  --data DIR       where servers keep their data (default: the system's temporary folder)
  --out FILE       where the result goes, as JSON; a table as Markdown lies beside it
                   (default: bench/results/latest.json)
  --no-build       run what was built before

exit status: 0 everything was measured, 1 something could not be measured, 2 wrong usage`;

export interface BenchOptions {
  readonly aims: boolean;
  readonly plan: Plan;
  readonly rows: readonly string[] | undefined;
  readonly servers: readonly string[] | undefined;
  readonly dataRoot: string | undefined;
  readonly out: string | undefined;
}

const roundsMax = 50;

/** Throws an error whose message says what is wrong with the arguments; "help" when only help was asked for. */
export function parseOptions(args: readonly string[]): BenchOptions | "help" {
  const { values } = parseArgs({
    args: [...args],
    options: {
      quick: { type: "boolean", default: false },
      aims: { type: "boolean", default: false },
      rounds: { type: "string" },
      rows: { type: "string" },
      servers: { type: "string" },
      data: { type: "string" },
      out: { type: "string" },
      "no-build": { type: "boolean" }, // Read by scripts/bench.mjs.
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return "help";
  const plan = values.quick ? quickPlan : fullPlan;
  const rounds = values.aims && !values.quick ? aimsRounds : plan.rounds;
  return {
    aims: values.aims,
    plan: { ...plan, rounds: values.rounds === undefined ? rounds : parseRounds(values.rounds) },
    rows: values.rows?.split(","),
    servers: values.servers?.split(","),
    dataRoot: values.data,
    out: values.out,
  };
}

function parseRounds(text: string): number {
  const rounds = Number(text);
  if (Number.isInteger(rounds) && rounds >= 1 && rounds <= roundsMax) return rounds;
  throw new Error(`--rounds takes a number from 1 to ${roundsMax}`);
}
