/**
 * What came of the suite on one version of Node.
 *
 * @typedef {object} MatrixRun
 * @property {string} version as asked for: `22`
 * @property {string} [exact] as found: `v22.23.3`
 * @property {string} [notRun] why nothing ran
 * @property {object} [results] of vitest's JSON reporter
 */

/**
 * One row for each version and project, then what failed and what was not run, in words.
 *
 * @param {readonly MatrixRun[]} runs
 * @param {readonly string[]} projects that were asked for
 * @param {readonly string[]} allProjects
 */
export function matrixReport(runs, projects, allProjects) {
  const rows = runs.flatMap((run) => rowsOf(run, projects));
  const failures = runs.flatMap((run) => failuresOf(run));
  const left = allProjects.filter((project) => !projects.includes(project));
  const isGood = failures.length === 0 && rows.every(({ passed, notRun }) => passed > 0 && !notRun);
  const lines = [
    "",
    "| Node | project | passed | failed | skipped |",
    "|---|---|---|---|---|",
    ...rows.map(rowText),
    ...failures.map((failure) => `FAILED: ${failure}`),
    ...notRun(runs).map((what) => `NOT RUN: ${what}`),
    ...(left.length > 0 ? [`NOT RUN: ${left.join(", ")}: not asked for`] : []),
    isGood ? "all that was run passed on every version" : "not every version is good",
  ];
  return { text: lines.join("\n"), isGood };
}

function rowsOf({ version, exact, notRun, results }, projects) {
  const name = exact ?? version;
  if (results === undefined) return [{ name, project: "all", passed: 0, notRun }];
  return projects.map((project) => {
    const row = { name, project, passed: 0, failed: 0, skipped: 0, notRun: undefined };
    for (const file of results.testResults) {
      if (projectOf(file.name) !== project) continue;
      // A file that could not be loaded has no tests to count.
      if (file.status === "failed" && file.assertionResults.length === 0) row.failed++;
      for (const { status } of file.assertionResults) row[countOf(status)]++;
    }
    return row;
  });
}

function rowText({ name, project, passed, failed, skipped, notRun }) {
  if (notRun) return `| ${name} | ${project} | not run | | |`;
  return `| ${name} | ${project} | ${passed} | ${failed} | ${skipped} |`;
}

function failuresOf({ version, exact = version, results }) {
  const failed = (results?.testResults ?? []).flatMap(({ name, status, assertionResults }) => {
    const tests = assertionResults.filter((test) => test.status === "failed");
    const isUnloaded = status === "failed" && tests.length === 0;
    if (isUnloaded) return [`${exact}: ${shortName(name)} as a whole`];
    return tests.map(({ fullName }) => `${exact}: ${shortName(name)}: ${fullName}`);
  });
  const isSilent = results?.success === false && failed.length === 0;
  return isSilent ? [`${exact}: errors outside of tests; see the output above`] : failed;
}

/** Each reason once, with the versions that it is true for. */
function notRun(runs) {
  const versions = new Map();
  for (const { version, exact = version, notRun, results } of runs) {
    const reasons = notRun ? [`everything: ${notRun}`] : skippedOf(results);
    for (const reason of reasons) versions.set(reason, [...(versions.get(reason) ?? []), exact]);
  }
  return [...versions].map(([reason, names]) => `${reason} (${names.join(", ")})`);
}

function skippedOf({ testResults }) {
  return testResults.flatMap(({ name, assertionResults }) => {
    const tests = assertionResults.filter(({ status }) => countOf(status) === "skipped");
    if (tests.length === 0) return [];
    return [`${shortName(name)}: ${tests.length} of ${assertionResults.length} tests`];
  });
}

function countOf(status) {
  return status === "passed" || status === "failed" ? status : "skipped";
}

function projectOf(file) {
  return /(?:^|\/)test\/([a-z0-9]+)\/[^/]+\.test\.ts$/.exec(file)?.[1] ?? "unit";
}

function shortName(file) {
  return /(?:^|\/)((?:test|packages|apps)\/.*)$/.exec(file)?.[1] ?? file;
}
