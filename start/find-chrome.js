/**
 * Where Chrome is, and how to get one. The headless shell, which is Chrome without the parts that draw windows, goes before the
 * whole browser: it starts in a third of the time and needs two thirds of the memory (docs/findings.md). Plain JavaScript that Node 20 runs and that needs no package: set-up uses it before
 * anything is installed, the pool through `pool/browsers/find-chrome.ts`.
 *
 *   const path = (await findChrome()) ?? (await installChrome({ say: console.log }));
 *
 * Set-up then gives the path to nobody: the pool finds the same Chrome by the same look.
 */
import { spawn } from "node:child_process";
import { access, constants, open, readdir, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** What to do when none can be had; ends the message of every error thrown here. */
export const HOW_TO_GET_CHROME =
  "Install Chromium (Debian: `apt-get install chromium-headless-shell`, or `chromium`) or Google Chrome, or set CHROME_PATH to the executable of one, " +
  "or CHROME_WS_ENDPOINTS to the DevTools addresses of running ones.";

/** Debian's real executables stand before their wrappers in /usr/bin: a wrapper costs a shell per start and adds flags from /etc. */
const USUAL_PLACE_OF_SHELL = "/usr/lib/chromium/chromium-headless-shell";
const USUAL_PLACES = {
  linux: [
    "/usr/lib/chromium/chromium",
    "/usr/lib/chromium-browser/chromium-browser",
    "/opt/google/chrome/chrome",
    "/usr/lib64/chromium-browser/chromium-browser",
  ],
  darwin: [
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    join(homedir(), "Applications/Google Chrome.app/Contents/MacOS/Google Chrome"),
  ],
};
/** As `@puppeteer/browsers` calls it. */
const SHELL_BUILD = "chrome-headless-shell";
const SHELLS_ON_PATH = ["chromium-headless-shell", SHELL_BUILD];
const NAMES_ON_PATH = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "chrome"];

/** Where `installChrome` puts a downloaded one. */
const ownCache = (/** @type {Record<string, string | undefined>} */ env) =>
  join(env.XDG_CACHE_HOME || join(env.HOME || homedir(), ".cache"), "understudy", "browsers");

/**
 * The executable of a Chrome or Chromium: CHROME_PATH, else a headless shell in its usual place or on PATH, else a whole one there,
 * else one we downloaded. Starts nothing.
 * @param {Record<string, string | undefined>} [env]
 * @returns {Promise<string | null>} null: there is none
 * @throws {Error} CHROME_PATH is set and is not an executable file: a wrong setting is not made good by another Chrome
 */
export async function findChrome(env = process.env) {
  if (env.CHROME_PATH) {
    if (await isProgram(env.CHROME_PATH)) return env.CHROME_PATH;
    throw new Error(`CHROME_PATH is "${env.CHROME_PATH}", which is not an executable file. ${HOW_TO_GET_CHROME}`);
  }
  const places = [
    ...shellPlaces(env),
    ...(USUAL_PLACES[/** @type {keyof typeof USUAL_PLACES} */ (process.platform)] ?? []),
    ...onPath(env, NAMES_ON_PATH),
    ...(await downloaded(ownCache(env))),
  ];
  for (const place of places) if (await isProgram(place)) return place;
  return null;
}

/** Has this machine a headless shell, whatever CHROME_PATH says? */
export async function hasHeadlessShell(env = process.env) {
  const fetched = (await downloaded(ownCache(env))).filter((place) => place.endsWith(SHELL_BUILD));
  for (const place of [...shellPlaces(env), ...fetched]) if (await isProgram(place)) return true;
  return false;
}

const shellPlaces = (/** @type {Record<string, string | undefined>} */ env) => [USUAL_PLACE_OF_SHELL, ...onPath(env, SHELLS_ON_PATH)];

const onPath = (/** @type {Record<string, string | undefined>} */ env, /** @type {string[]} */ names) =>
  names.flatMap((name) =>
    (env.PATH ?? "")
      .split(delimiter)
      .filter(Boolean)
      .map((folder) => join(folder, name)),
  );

/**
 * Gets a Chrome: by apt-get where we are root on a machine that has it, else by `@puppeteer/browsers` (so only after the packages
 * are installed) into the user's cache folder. What the installers print goes to the terminal.
 * @param {{ say?: (line: string) => void, env?: Record<string, string | undefined> }} [options]
 * @returns {Promise<string>} the executable
 * @throws {Error} that says what was tried and what to do
 */
export async function installChrome({ say = console.error, env = process.env } = {}) {
  const failures = [];
  for (const [how, install] of /** @type {const} */ ([
    ["apt-get", installByApt],
    ["@puppeteer/browsers", () => download(ownCache(env))],
  ])) {
    say(`No Chrome on this machine; getting one through ${how}.`);
    try {
      await install();
      const path = await findChrome(env);
      if (path === null) throw new Error("installed, but no executable is where it should be");
      await run(path, ["--version"]); // some packages are empty, or lack libraries that Chrome needs
      return path;
    } catch (error) {
      failures.push(`${how}: ${error instanceof Error ? error.message : error}`);
    }
  }
  throw new Error(`No Chrome could be had. ${failures.join("; ")}. ${HOW_TO_GET_CHROME}`);
}

async function installByApt() {
  if (process.platform !== "linux" || process.getuid?.() !== 0) throw new Error("needs Linux and root");
  const quiet = { DEBIAN_FRONTEND: "noninteractive" };
  await run("apt-get", ["update", "-q"], quiet);
  const install = (/** @type {string} */ name) =>
    run("apt-get", ["install", "-y", "-q", "--no-install-recommends", name, "fonts-liberation"], quiet);
  await install("chromium-headless-shell").catch(() => install("chromium")); // an older Debian has no such package
}

/** Runs the package's own command line with the Node of package `node`: the one that runs us may be too old for it. */
async function download(/** @type {string} */ folder) {
  const root = dirname(dirname(fileURLToPath(import.meta.url)));
  const cli = join(root, "node_modules/@puppeteer/browsers/lib/main-cli.js");
  if (!(await isFile(cli))) throw new Error("the package is not installed yet; run `npm ci` first");
  const ownNode = join(root, "node_modules/.bin/node");
  const libraries = process.platform === "linux" && process.getuid?.() === 0 ? ["--install-deps"] : [];
  await run((await isProgram(ownNode)) ? ownNode : process.execPath, [
    cli,
    "install",
    `${SHELL_BUILD}@stable`,
    "--path",
    folder,
    ...libraries,
  ]);
}

/**
 * Executables below `<folder>/<build>/<platform>-<version>/<build>-<platform>/`, newest version first. Whole Chromes are of set-ups
 * that downloaded those.
 */
async function downloaded(/** @type {string} */ folder) {
  const newestFirst = async (/** @type {string} */ build) => {
    const names = await readdir(join(folder, build)).catch(() => []); // never downloaded
    return names.sort((a, b) => b.localeCompare(a, "en", { numeric: true }));
  };
  const shells = (await newestFirst(SHELL_BUILD)).flatMap((name) =>
    ["linux64", "linux-arm64", "mac-arm64", "mac-x64"].map((cpu) => join(folder, SHELL_BUILD, name, `${SHELL_BUILD}-${cpu}`, SHELL_BUILD)),
  );
  const whole = (await newestFirst("chrome")).flatMap((name) => [
    join(folder, "chrome", name, "chrome-linux64", "chrome"),
    join(folder, "chrome", name, "chrome-linux-arm64", "chrome"),
    ...["arm64", "x64"].map((cpu) =>
      join(folder, "chrome", name, `chrome-mac-${cpu}`, "Google Chrome for Testing.app/Contents/MacOS/Google Chrome for Testing"),
    ),
  ]);
  return [...shells, ...whole];
}

/** Is it a file that we may execute? Ubuntu's stub that only asks for the snap is none: a snap cannot use our folders. */
async function isProgram(/** @type {string} */ path) {
  try {
    await access(path, constants.X_OK);
    if (!(await stat(path)).isFile()) return false;
    const head = await firstBytes(path);
    return !(head.startsWith("#!") && /\bsnap (install|run)\b|\/snap\/bin\//.test(head));
  } catch {
    return false; // not there, or not for us
  }
}

async function firstBytes(/** @type {string} */ path) {
  const file = await open(path, "r");
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(4096), 0, 4096, 0);
    return buffer.toString("latin1", 0, bytesRead);
  } finally {
    await file.close();
  }
}

const isFile = (/** @type {string} */ path) =>
  stat(path).then(
    (found) => found.isFile(),
    () => false,
  );

/** @returns {Promise<void>} once the program ended well */
function run(/** @type {string} */ program, /** @type {string[]} */ args, env = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ["ignore", 2, 2], env: { ...process.env, ...env } });
    child.once("error", reject);
    child.once("exit", (code, signal) =>
      code === 0 ? resolve(undefined) : reject(new Error(`\`${program} ${args.join(" ")}\` ended with ${signal ?? code}`)),
    );
  });
}
