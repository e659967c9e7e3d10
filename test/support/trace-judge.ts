/** Puts every trace that the tests have read before Playwright's own command line: it must open each, and list what is in it. */
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readAllByCli } from "../recording/cli.ts";

let dir = "";

export async function setup(): Promise<void> {
  dir = await mkdtemp(join(tmpdir(), "us-traces-"));
  process.env.TEST_TRACES = dir;
}

export async function teardown(): Promise<void> {
  try {
    const zips = (await readdir(dir)).map((name) => join(dir, name));
    if (zips.length === 0) return;
    const opened = (await readAllByCli(zips)).filter(({ command, lines }) => command === "open" && /Actions: +\d/.test(lines.join("")));
    if (opened.length < zips.length) throw new Error(`Playwright's command line opens ${opened.length} of ${zips.length} traces`);
    process.stdout.write(`Playwright's command line has opened all ${zips.length} traces that tests have read\n`);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}
