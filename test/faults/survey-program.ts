import { testEnvironment } from "@heddle/testkit";

import { surveyStore } from "./store-survey.ts";

// Surveys one folder after the other and prints a line for each: damage can make LevelDB abort its
// process, and a test outlives that only from outside. Arguments: document names, a dash, folders.
const separator = process.argv.indexOf("-");
const names = process.argv.slice(2, separator);
for (const folder of process.argv.slice(separator + 1)) {
  const survey = await surveyStore(folder, testEnvironment("survey"), names);
  console.log(JSON.stringify(survey));
}
