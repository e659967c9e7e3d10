/** Playwright's command line as the judge of a trace: it needs no browser. */
import { execFile } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { openTempFolder } from "./support.ts";

const LIB = join(dirname(createRequire(import.meta.url).resolve("playwright-core/package.json")), "lib");
const COMMANDS = ["open", "actions", "requests", "console", "errors"] as const;
const run = promisify(execFile);

/** `cli.js` as it is, but for all commands in one process: each start costs a second. A command is over when nothing is left to do. */
const SCRIPT = `
require(${JSON.stringify(join(LIB, "bootstrap"))});
const { program } = require(${JSON.stringify(join(LIB, "utilsBundle"))});
require(${JSON.stringify(join(LIB, "coreBundle"))}).libCli.decorateProgram(program);
const commands = ${JSON.stringify(COMMANDS)};
const printed = {};
let lines = [];
console.log = (...words) => lines.push(words.join(" ") + "\\n");
process.on("beforeExit", () => {
  const command = commands.shift();
  if (command === undefined) {
    if (lines) process.stdout.write(JSON.stringify(printed));
    lines = null;
    return;
  }
  lines = printed[command] = [];
  program.parse(["trace", command, ...(command === "open" ? process.argv.slice(1) : [])], { from: "user" });
});`;

/** What each of its commands prints. Throws where one refuses the trace. */
export async function readByCli(zip: string) {
  await using temp = await openTempFolder(); // it unpacks where it is called
  const { stdout } = await run(process.execPath, ["-e", SCRIPT, zip], { cwd: temp.dir });
  const printed = JSON.parse(stdout) as Record<(typeof COMMANDS)[number], string[]>;
  const [opened = "", actions = "", requests = "", console = "", errors = ""] = COMMANDS.map((command) => printed[command].join(""));
  return { opened, actions, requests, console, errors };
}
