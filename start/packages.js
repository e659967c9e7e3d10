/** The npm packages of package-lock.json: are they all here, and `npm ci` when not. */
import { existsSync, readFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { run } from "./run.js";

export const ROOT = fileURLToPath(new URL("..", import.meta.url));
const MODULES = join(ROOT, "node_modules");

/** npm writes it into node_modules once an installation is whole: what it really put there. */
const INSTALLED = join(MODULES, ".package-lock.json");

/**
 * Compares what npm has installed with package-lock.json. Development packages that are there satisfy production.
 * @param {{ dev: boolean }} want
 * @returns {string | null} why `npm ci` is needed, null when all is there
 */
export function packagesMissing({ dev }) {
  if (!existsSync(INSTALLED)) return "none are there yet";
  const wanted = readPackages(join(ROOT, "package-lock.json"));
  const installed = readPackages(INSTALLED);
  const missing = Object.entries(wanted).filter(([path, { version, dev: forDev, optional, devOptional }]) => {
    if (path === "" || optional || devOptional || (forDev && !dev)) return false; // optional: most are for other platforms
    return installed[path]?.version !== version;
  });
  if (missing.length === 0) return null;
  const names = missing.map(([path]) => path.replace(/^.*node_modules\//, ""));
  return `${names.slice(0, 3).join(", ")}${names.length > 3 ? ` and ${names.length - 3} more` : ""} missing or of another version`;
}

/**
 * Installs exactly what package-lock.json says. Development packages stay where they were: a demo between two tests must not undo them.
 * Where packages are only to be added, those there stay untouched: a node or an edge may be running on them.
 */
export async function installPackages(/** @type {{ dev: boolean }} */ { dev }) {
  const how = isOnlyIncomplete() ? ["install", "--no-save"] : ["ci"];
  const withDev = dev || hasDevPackages();
  await runNpm([...how, "--no-audit", "--no-fund", withDev ? "--include=dev" : "--omit=dev"]);
}

/** Something is installed, and nothing in another version than wanted. */
function isOnlyIncomplete() {
  if (!existsSync(INSTALLED)) return false;
  const wanted = readPackages(join(ROOT, "package-lock.json"));
  return Object.entries(readPackages(INSTALLED)).every(([path, { version }]) => wanted[path]?.version === version);
}

function hasDevPackages() {
  return existsSync(INSTALLED) && Object.values(readPackages(INSTALLED)).some((each) => each.dev);
}

/** @returns {Record<string, { version?: string, dev?: boolean, optional?: boolean, devOptional?: boolean }>} by path */
function readPackages(/** @type {string} */ file) {
  return JSON.parse(readFileSync(file, "utf8")).packages ?? {};
}

/**
 * npm, under the Node that it came with: ours in node_modules vanishes while `npm ci` works.
 * Its output shows only when it fails.
 */
async function runNpm(/** @type {string[]} */ args) {
  const { npm_execpath: npm, npm_node_execpath: node, PATH = "" } = process.env;
  const env = {
    PATH: PATH.split(delimiter)
      .filter((folder) => !folder.startsWith(MODULES))
      .join(delimiter),
  };
  if (npm && node && existsSync(npm) && !node.startsWith(MODULES)) await run(node, [npm, ...args], { cwd: ROOT, env });
  else await run("npm", args, { cwd: ROOT, env });
}
