/** Playwright's command line as the judge of a trace: it needs no browser. */
import { execFile } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { openTempFolder } from "./support.ts";

const LIB = join(dirname(createRequire(import.meta.url).resolve("playwright-core/package.json")), "lib");
const COMMANDS = ["open", "actions", "requests", "console", "errors"] as const;
const run = promisify(execFile);

/** `cli.js` as it is, but for all commands on all traces in one process: each start costs a second. A command is over when nothing is left to do. */
const SCRIPT = `
require(${JSON.stringify(join(LIB, "bootstrap"))});
const { program } = require(${JSON.stringify(join(LIB, "utilsBundle"))});
require(${JSON.stringify(join(LIB, "coreBundle"))}).libCli.decorateProgram(program);
const todo = process.argv.slice(1).flatMap((zip) => ${JSON.stringify(COMMANDS)}.map((command) => ({ zip, command, lines: [] })));
const done = [];
console.log = (...words) => done.at(-1)?.lines.push(words.join(" ") + "\\n");
process.on("exit", (code) => { if (code !== 0) process.stderr.write(JSON.stringify(done.at(-1))) });
process.on("beforeExit", () => {
  const next = todo.shift();
  if (next === undefined) return done.length > 0 && process.stdout.write(JSON.stringify(done.splice(0)));
  done.push(next);
  program.parse(["trace", next.command, ...(next.command === "open" ? [next.zip] : [])], { from: "user" });
});`;
type Printed = { zip: string; command: (typeof COMMANDS)[number]; lines: string[] };

/** What its commands print of each trace. @throws where one is refused */
export async function readAllByCli(zips: readonly string[]): Promise<Printed[]> {
  await using temp = await openTempFolder(); // it unpacks where it is called
  const { stdout } = await run(process.execPath, ["-e", SCRIPT, ...zips], { cwd: temp.dir, maxBuffer: 256 * 1024 * 1024 });
  return JSON.parse(stdout) as Printed[];
}

/** What each of its commands prints. @throws where one refuses the trace */
export async function readByCli(zip: string) {
  const printed = await readAllByCli([zip]);
  const [opened = "", actions = "", requests = "", console = "", errors = ""] = printed.map(({ lines }) => lines.join(""));
  return { opened, actions, requests, console, errors };
}
