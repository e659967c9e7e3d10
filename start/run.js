import { spawn } from "node:child_process";

/**
 * Runs a program to its end. Its output is kept back and shown only in the error, when it fails.
 * @param {string} program
 * @param {string[]} args
 * @param {{ cwd?: string, env?: Record<string, string> }} [options] `env` is added to ours
 * @returns {Promise<void>}
 */
export function run(program, args, { cwd, env = {} } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd, env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"] });
    /** @type {string[]} */
    const output = [];
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text) => output.push(text));
    child.once("error", (error) => reject(new Error(`Cannot run ${program}: ${error.message}`)));
    child.once("close", (code, signal) => {
      if (code === 0) resolve();
      else reject(new Error(`${[program, ...args].join(" ")} ended with ${signal ?? code}:\n${output.join("").trimEnd()}`));
    });
  });
}
