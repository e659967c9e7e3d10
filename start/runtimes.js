/** The runtimes that npm packages bring along: Node 24 and Deno. Their executables come by install scripts, which npm may have left out. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./packages.js";
import { run } from "./run.js";

const NODE_MAJOR = 24;
const BIN = join(ROOT, "node_modules/.bin");

/** @typedef {<T>(name: string, work: () => Promise<T>) => Promise<T>} Step */

/** Sees to it that node_modules/.bin/node is Node 24 or later. */
export async function ensureNode(/** @type {Step} */ step) {
  const ours = join(BIN, "node");
  if (nodeMajor(ours) >= NODE_MAJOR) return;
  await step(`Getting Node ${NODE_MAJOR}`, async () => {
    const folder = join(ROOT, "node_modules/node");
    const failure = await run(process.execPath, ["installArchSpecificPackage"], { cwd: folder }).then(
      () => null,
      (error) => error,
    );
    // A Node of the machine's own that is new enough serves as well.
    const program = [join(folder, "bin/node"), process.execPath].find((path) => nodeMajor(path) >= NODE_MAJOR);
    if (program === undefined) throw failure ?? new Error(`The package "node" brought no Node ${NODE_MAJOR}; install it yourself`);
    if (program !== ours) {
      mkdirSync(BIN, { recursive: true });
      rmSync(ours, { force: true });
      symlinkSync(program, ours);
    }
  });
}

/** Sees to it that the package `deno` has its executable. */
export async function ensureDeno(/** @type {Step} */ step) {
  const folder = join(ROOT, "node_modules/deno");
  if (existsSync(join(folder, process.platform === "win32" ? "deno.exe" : "deno"))) return;
  await step("Getting Deno", () => run(process.execPath, ["install.cjs"], { cwd: folder }));
}

/** 0: it does not run. */
function nodeMajor(/** @type {string} */ program) {
  try {
    return Number(/^v(\d+)\./.exec(execFileSync(program, ["--version"], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }))?.[1]);
  } catch {
    return 0;
  }
}
