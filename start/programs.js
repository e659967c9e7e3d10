/** Programs that only tests and benches use. Their absence is no failure here: what needs them says so, and CI gets them. */
import { accessSync, constants, readdirSync } from "node:fs";
import { delimiter, join } from "node:path";
import { hasHeadlessShell } from "./find-chrome.js";
import { run } from "./run.js";

/** @typedef {{ name: string, debian: string, neededFor: string, inCi: boolean, isThere: () => boolean | Promise<boolean> }} Program */

/** @type {Program[]} */
export const TEST_PROGRAMS = [
  {
    name: "Chrome's headless shell",
    debian: "chromium-headless-shell",
    neededFor: "tests in half the time",
    inCi: true,
    isThere: () => hasHeadlessShell(),
  },
  { name: "postgres", debian: "postgresql", neededFor: "tests of a store on a server", inCi: true, isThere: hasPostgres },
  { name: "nginx", debian: "nginx-light", neededFor: "npm run bench", inCi: false, isThere: () => isOnPath("nginx") },
];

/**
 * Looks for the programs; installs those that CI needs where it may, and says in one line what is not there.
 * @param {Program[]} programs
 * @param {{ say: (line: string) => void, step: import("./runtimes.js").Step, mayInstall: boolean }} options
 */
export async function installPrograms(programs, { say, step, mayInstall }) {
  const wanted = (await absent(programs)).filter(({ inCi }) => inCi).map(({ debian }) => debian);
  if (wanted.length > 0 && mayInstall && process.getuid?.() === 0 && isOnPath("apt-get")) {
    await step(`Installing ${wanted.join(", ")}`, async () => {
      const env = { DEBIAN_FRONTEND: "noninteractive" };
      await run("apt-get", ["update", "-q"], { env });
      await run("apt-get", ["install", "-y", "-q", "--no-install-recommends", ...wanted], { env });
    });
  }
  const missing = await absent(programs);
  if (missing.length === 0) return;
  const what = missing.map(({ name, neededFor }) => `${name} (${neededFor})`).join(", ");
  say(`Not on this machine: ${what}. On Debian: apt-get install ${missing.map(({ debian }) => debian).join(" ")}`);
}

async function absent(/** @type {Program[]} */ programs) {
  const there = await Promise.all(programs.map(({ isThere }) => isThere()));
  return programs.filter((_, i) => !there[i]);
}

function isOnPath(/** @type {string} */ name) {
  const folders = [...(process.env.PATH ?? "").split(delimiter).filter(Boolean), "/usr/sbin", "/usr/local/sbin"];
  return folders.some((folder) => isExecutable(join(folder, name)));
}

/** Where Debian's packages put a server's programs, and where the tests look: one folder per version, off PATH. */
function hasPostgres() {
  const base = "/usr/lib/postgresql";
  try {
    return readdirSync(base).some((version) => isExecutable(join(base, version, "bin/initdb")));
  } catch {
    return false; // no such package here
  }
}

function isExecutable(/** @type {string} */ path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false; // not there, or not for us
  }
}
