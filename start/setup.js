/**
 * Makes this folder ready to run, and says what it does. Plain JavaScript for Node 20: it is what `npm run demo` runs first, on a
 * machine that has npm and nothing else. With everything in place it prints nothing and takes a tenth of a second.
 *
 *   node start/setup.js          packages for production, Node 24, Chrome
 *   node start/setup.js --dev    what tests and checks need as well: development packages, Deno, Postgres
 */
import { findChrome, installChrome } from "./find-chrome.js";
import { oneAtATime } from "./one-at-a-time.js";
import { installPackages, packagesMissing } from "./packages.js";
import { installPrograms, TEST_PROGRAMS } from "./programs.js";
import { ensureDeno, ensureNode } from "./runtimes.js";

const dev = process.argv.includes("--dev");
const mayInstallPrograms = process.env.CI === "true";

try {
  if (packagesMissing({ dev }) !== null) await oneAtATime(() => packages(), say);
  await ensureNode(step);
  if (dev) await ensureDeno(step);
  // Remote Chromes need none here; tests always do.
  if ((dev || !process.env.CHROME_WS_ENDPOINTS) && (await findChrome()) === null)
    await step("Getting Chrome", () => installChrome({ say }));
  if (dev) await installPrograms(TEST_PROGRAMS, { say, step, mayInstall: mayInstallPrograms });
} catch (error) {
  say(`Set-up failed. ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
}

/** What another set-up has installed meanwhile is there. */
async function packages() {
  const missing = packagesMissing({ dev });
  if (missing !== null) await step(`Installing packages (${missing})`, () => installPackages({ dev }));
}

/** Runs one step under its name, and says how long it took. @type {import("./runtimes.js").Step} */
async function step(name, work) {
  const began = performance.now();
  say(`${name} …`);
  const result = await work();
  say(`  done in ${((performance.now() - began) / 1000).toFixed(1)} s`);
  return result;
}

/** On stderr: what follows in the same npm script has stdout to itself. */
function say(/** @type {string} */ line) {
  console.error(line);
}
