/** Playwright's command line as the judge of a trace: it needs no browser. */
import { execFile } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { openTempFolder } from "./support.ts";

const CLI = join(dirname(createRequire(import.meta.url).resolve("playwright-core/package.json")), "cli.js");
const run = promisify(execFile);

/** What each of its commands prints. Throws where one refuses the trace. */
export async function readByCli(zip: string) {
  await using temp = await openTempFolder(); // it unpacks where it is called
  const trace = async (...args: string[]) => (await run(process.execPath, [CLI, "trace", ...args], { cwd: temp.dir })).stdout;
  const opened = await trace("open", zip);
  const commands = ["actions", "requests", "console", "errors"] as const;
  const [actions, requests, console, errors] = await Promise.all(commands.map((command) => trace(command)));
  return { opened, actions, requests, console, errors } as Record<"opened" | (typeof commands)[number], string>;
}
