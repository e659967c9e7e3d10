/** Programs that only tests and benches use. Their absence is no failure here: what needs them says so, and CI installs them. */
import { accessSync, constants, readdirSync } from "node:fs";
import { delimiter, join } from "node:path";
import { run } from "./run.js";

/** @typedef {{ name: string, debian: string, neededFor: string, inCi: boolean, places: () => string[] }} Program */

/** @type {Program[]} */
export const TEST_PROGRAMS = [
  { name: "postgres", debian: "postgresql", neededFor: "tests of a store on a server", inCi: true, places: postgresFolders },
  { name: "nginx", debian: "nginx-light", neededFor: "npm run bench", inCi: false, places: () => [] },
];

/**
 * Looks for the programs; installs those that CI needs where it may, and says in one line what is not there.
 * @param {Program[]} programs
 * @param {{ say: (line: string) => void, step: import("./runtimes.js").Step, mayInstall: boolean }} options
 */
export async function installPrograms(programs, { say, step, mayInstall }) {
  const wanted = programs.filter((program) => program.inCi && findProgram(program) === null).map(({ debian }) => debian);
  if (wanted.length > 0 && mayInstall && process.getuid?.() === 0 && onPath("apt-get") !== null) {
    await step(`Installing ${wanted.join(", ")}`, async () => {
      const env = { DEBIAN_FRONTEND: "noninteractive" };
      await run("apt-get", ["update", "-q"], { env });
      await run("apt-get", ["install", "-y", "-q", "--no-install-recommends", ...wanted], { env });
    });
  }
  const missing = programs.filter((program) => findProgram(program) === null);
  if (missing.length === 0) return;
  const what = missing.map(({ name, neededFor }) => `${name} (${neededFor})`).join(", ");
  say(`Not on this machine: ${what}. On Debian: apt-get install ${missing.map(({ debian }) => debian).join(" ")}`);
}

/** @returns {string | null} the executable */
export function findProgram(/** @type {Program} */ { name, places }) {
  return onPath(name, places());
}

function onPath(/** @type {string} */ name, /** @type {string[]} */ folders = []) {
  const all = [...(process.env.PATH ?? "").split(delimiter).filter(Boolean), "/usr/sbin", "/usr/local/sbin", ...folders];
  return all.map((folder) => join(folder, name)).find(isExecutable) ?? null;
}

function isExecutable(/** @type {string} */ path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false; // not there, or not for us
  }
}

/** Debian keeps the server's programs off PATH, one folder per version. */
function postgresFolders() {
  const base = "/usr/lib/postgresql";
  try {
    return readdirSync(base).map((version) => join(base, version, "bin"));
  } catch {
    return []; // no such package here
  }
}
