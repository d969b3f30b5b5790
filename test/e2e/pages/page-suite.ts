// The few words of vitest that the contract suites use, for a page: tests run one after the other.
import { chai, JestAsymmetricMatchers, JestChaiExpect, JestExtend } from "@vitest/expect";

type Task = () => unknown;

interface Group {
  readonly title: string;
  readonly parent: Group | undefined;
  readonly before: Task[];
  readonly after: Task[];
}

interface PageTest {
  readonly title: string;
  readonly group: Group;
  readonly run: Task;
}

export interface PageResults {
  readonly passed: number;
  /** Title and reason of each. */
  readonly failed: readonly string[];
}

chai.use(JestExtend);
chai.use(JestChaiExpect);
chai.use(JestAsymmetricMatchers);

/** As vitest puts it together for its own runs. */
export const expect = Object.assign((value: unknown) => chai.expect(value), chai.expect);

const tests: PageTest[] = [];
let current: Group = newGroup("", undefined);

export function describe(title: string, body: () => void): void {
  const outer = current;
  current = newGroup(title, outer);
  body();
  current = outer;
}

export const it = Object.assign(
  (title: string, run: Task): void => {
    tests.push({ title: `${titleOf(current)} > ${title}`, group: current, run });
  },
  {
    each:
      <Case>(cases: readonly Case[]) =>
      (title: string, run: (...values: unknown[]) => unknown): void => {
        for (const each of cases) {
          const values: unknown[] = Array.isArray(each) ? each : [each];
          it(title.replace("%s", String(values[0])), () => run(...values));
        }
      },
  },
);
export const test = it;

export function beforeEach(task: Task): void {
  current.before.push(task);
}

export function afterEach(task: Task): void {
  current.after.push(task);
}

/** Runs all tests but those whose titles hold one of `left`. */
export async function runPageSuite(left: readonly string[]): Promise<PageResults> {
  const failed: string[] = [];
  const chosen = tests.filter(({ title }) => !left.some((part) => title.includes(part)));
  for (const { title, group, run } of chosen) {
    const groups = lineOf(group);
    try {
      for (const { before } of groups) for (const task of before) await task();
      await run();
    } catch (error) {
      failed.push(`${title}: ${error instanceof Error ? error.stack : String(error)}`);
    }
    for (const { after } of groups.toReversed()) {
      for (const task of after) {
        await Promise.resolve(task()).catch((error: unknown) => {
          failed.push(`${title}, afterwards: ${String(error)}`);
        });
      }
    }
  }
  return { passed: chosen.length - failed.length, failed };
}

function newGroup(title: string, parent: Group | undefined): Group {
  return { title, parent, before: [], after: [] };
}

/** Outermost first. */
function lineOf(group: Group): Group[] {
  return [...(group.parent ? lineOf(group.parent) : []), group];
}

function titleOf(group: Group): string {
  return lineOf(group)
    .map(({ title }) => title)
    .filter((title) => title !== "")
    .join(" > ");
}
