import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readdir, readFile, symlink, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { describe, expect, it } from "vitest";
import { salvage } from "../../pool/recording/salvage.ts";
import { click, openTempFolder, RUN_ID, record, startRecorder } from "./support.ts";
import { loadTrace } from "./viewer-model.ts";

const SCRIPT = join(import.meta.dirname, "recording-process.ts");
type Said = { done?: number; warnings?: string[]; artifacts?: { name: string }[] };

async function* said(child: ChildProcess): AsyncGenerator<Said> {
  if (child.stdout === null) throw new Error("The process has no stdout");
  for await (const line of createInterface(child.stdout)) yield JSON.parse(line) as Said;
}

const traceOf = async (dir: string) => loadTrace(await readFile(join(dir, "trace.zip")));

describe("salvage", () => {
  it.each([10, 40, 111])(
    "makes a whole trace and action log of what a process left that was killed after %i actions",
    async (killAfter) => {
      await using temp = await openTempFolder();
      const child = spawn(process.execPath, [SCRIPT, temp.dir, "1000000"], { stdio: ["ignore", "pipe", "inherit"] });
      for await (const { done } of said(child)) if (done !== undefined && done >= killAfter) child.kill("SIGKILL");
      if (child.signalCode === null) await once(child, "exit");
      const files = await salvage(temp.dir, RUN_ID);
      const { actions } = await traceOf(temp.dir);
      const clicks = actions.filter(({ method }) => method === "click");
      expect(clicks.length).toBeGreaterThanOrEqual(killAfter - 1); // the last one may have been on its way to the disk
      expect(actions.filter(({ endTime }) => !(endTime > 0))).toEqual([]);
      expect(files.some(({ kind }) => kind === "action")).toBe(true);
      const log = JSON.parse(await readFile(join(temp.dir, "action_log.json"), "utf8"));
      expect(log.run_id).toBe(RUN_ID);
      expect(log.actions.map(({ seq }: { seq: number }) => seq)).toEqual(log.actions.map((_: unknown, n: number) => n + 1));
      expect(files.filter(({ kind }) => kind === "trace" || kind === "action_log").map(({ name }) => name)).toEqual([
        "action_log.json",
        "trace.zip",
      ]);
      for (const { name, bytes } of files) expect((await readFile(join(temp.dir, name))).byteLength, name).toBe(bytes);
      const written = await readdir(join(temp.dir, "screenshots"));
      expect(files.filter(({ kind }) => kind === "screenshot")).toHaveLength(written.filter((name) => name.endsWith(".jpg")).length);
    },
  );

  it("makes a whole trace of a file cut at any byte", async () => {
    await using source = await openTempFolder();
    const { recorder } = await startRecorder(source.dir);
    const step = recorder.step(0, "Größe prüfen");
    await record(recorder, 1, click("#a"));
    await record(recorder, 2, click("#b"), { error: "Nicht da" });
    step.end();
    await recorder.finish();
    const events = await readFile(join(source.dir, "trace", "trace.trace"));
    const firstLine = events.indexOf("\n") + 1;
    for (let cut = 0; cut <= events.length; cut += 1 + ((cut * 7) % 61)) {
      await using temp = await openTempFolder();
      await mkdir(join(temp.dir, "trace", "resources"), { recursive: true });
      await writeFile(join(temp.dir, "trace", "trace.trace"), events.subarray(0, cut));
      const names = await readdir(join(source.dir, "trace", "resources"));
      for (const name of names) await writeFile(join(temp.dir, "trace", "resources", name), "picture");
      const files = await salvage(temp.dir, RUN_ID);
      if (cut < firstLine) {
        expect(files).toEqual([]);
        continue;
      }
      const { actions } = await traceOf(temp.dir);
      expect(actions.filter(({ endTime }) => !(endTime > 0))).toEqual([]);
      const wholeLines = events.subarray(0, cut).toString().split("\n").slice(0, -1);
      expect(actions).toHaveLength(wholeLines.filter((line) => line.startsWith('{"type":"before"')).length);
    }
  });

  it("keeps lines as long as an operator can allow snapshots to be", async () => {
    await using temp = await openTempFolder();
    const { recorder } = await startRecorder(temp.dir);
    await record(recorder, 1, click("#a"));
    for await (const _ of recorder.zip()); // all is on disk then
    const line = JSON.stringify({ type: "stdout", timestamp: 1, text: "x".repeat(20_000_000) });
    await writeFile(join(temp.dir, "trace", "trace.trace"), `${line}\n`, { flag: "a" });
    await salvage(temp.dir, RUN_ID);
    expect((await traceOf(temp.dir)).stdio.map(({ text }) => text.length)).toContain(20_000_000);
    await recorder.finish();
  });

  it.each([
    ["zeros, as after a power cut", Buffer.alloc(5_000)],
    ["a line without its beginning", Buffer.from('{"type":"after","callId":"call@99","endTime":1}\n')],
    ["another program's words", Buffer.from("hello\nworld\n")],
    ["a line without an end", Buffer.alloc(9_000_000, "x")],
  ])("stops before %s", async (_, rubbish) => {
    await using temp = await openTempFolder();
    const { recorder } = await startRecorder(temp.dir);
    await record(recorder, 1, click("#a"));
    recorder.action({ seq: 2, action: click("#open"), title: null, page: {} as never });
    for await (const _ of recorder.zip()); // all is on disk then
    await writeFile(join(temp.dir, "trace", "trace.trace"), rubbish, { flag: "a" });
    await salvage(temp.dir, RUN_ID);
    const { actions } = await traceOf(temp.dir);
    expect(actions.map(({ error }) => error?.message)).toEqual([undefined, "The node died while this action ran"]);
    await recorder.finish();
  });

  it("leaves a trace as it is that was finished", async () => {
    await using temp = await openTempFolder();
    const { recorder } = await startRecorder(temp.dir);
    await record(recorder, 1, click("#a"));
    await recorder.finish();
    const before = await readFile(join(temp.dir, "trace.zip"));
    await truncate(join(temp.dir, "trace", "trace.trace"), 0);
    await salvage(temp.dir, RUN_ID);
    expect((await readFile(join(temp.dir, "trace.zip"))).equals(before)).toBe(true);
  });

  it("makes the trace anew where a power cut left none of its bytes", async () => {
    await using temp = await openTempFolder();
    const { recorder } = await startRecorder(temp.dir);
    await record(recorder, 1, click("#a"));
    await recorder.finish();
    await writeFile(join(temp.dir, "trace.zip"), Buffer.alloc(4_000));
    await salvage(temp.dir, RUN_ID);
    expect((await traceOf(temp.dir)).actions).toHaveLength(1);
  });

  it("finds nothing where nothing was recorded, and follows no link", async () => {
    await using temp = await openTempFolder();
    expect(await salvage(temp.dir, RUN_ID)).toEqual([]);
    await mkdir(join(temp.dir, "screenshots"));
    await symlink("/etc/hostname", join(temp.dir, "screenshots", "0001_click.jpg"));
    await symlink("/etc/hostname", join(temp.dir, "trace.zip"));
    expect(await salvage(temp.dir, RUN_ID)).toEqual([]);
  });
});

describe("a recorder on a disk that takes no more", () => {
  it("warns, goes on, and leaves a trace of what could be written", async () => {
    await using temp = await openTempFolder();
    const limited = `trap '' XFSZ; ulimit -f 40; exec "$@"`; // no file beyond 20 KB: the write fails in the middle of a line
    const child = spawn("sh", ["-c", limited, "sh", process.execPath, SCRIPT, temp.dir, "200"], { stdio: ["ignore", "pipe", "inherit"] });
    let last: Said = {};
    for await (const each of said(child)) last = each;
    expect(last.warnings).toContainEqual(expect.stringContaining("The trace could not be written"));
    expect(last.artifacts).toContainEqual(expect.objectContaining({ name: "trace.zip" }));
    const { actions } = await traceOf(temp.dir);
    expect(actions.length).toBeGreaterThan(5);
    expect(actions.filter(({ endTime }) => !(endTime > 0))).toEqual([]);
    expect(actions.filter(({ error }) => error?.message === "The recording broke off while this action ran").length).toBeLessThanOrEqual(1);
  });
});
