import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ActionRecording } from "../../pool/recording/recorder.ts";
import { readZip } from "../support/zip.ts";
import { aPage, click, collect, goto, jpeg, openFilesBelow, openTempFolder, RUN_ID, record, startRecorder, typing } from "./support.ts";
import { loadTrace } from "./viewer-model.ts";

const below = async (dir: string) => (await readdir(dir, { recursive: true })).toSorted();

describe("a recorder", () => {
  it("leaves a trace with steps around their actions, times, errors, log lines and points, and a picture after each beside it", async () => {
    await using temp = await openTempFolder();
    const { recorder, warnings } = await startRecorder(temp.dir);
    const open = recorder.step(0, "Open the orders");
    await record(recorder, 1, goto("https://shop.test/orders"));
    open.end();
    const cancel = recorder.step(1, "Cancel one");
    await record(recorder, 2, click("text=Cancel"), { error: "Nothing matches text=Cancel" });
    cancel.end();
    await record(recorder, 3, click("#outside"));
    await recorder.finish();
    const model = await loadTrace(await readFile(join(temp.dir, "trace.zip")));
    const [step1, visit, step2, failed, outside] = model.actions;
    expect(model.title).toBe("Cancel order 12345");
    expect(model.options).toMatchObject({ viewport: { width: 1280 }, userAgent: "Chrome/156.0.8078.79" });
    expect(model.stdio[0]?.text).toContain(RUN_ID);
    expect(model.actions.map(({ title }) => title)).toEqual([
      "Step 1: Open the orders",
      undefined,
      "Step 2: Cancel one",
      undefined,
      undefined,
    ]);
    expect([visit?.parentId, failed?.parentId, outside?.parentId]).toEqual([step1?.callId, step2?.callId, undefined]);
    expect(visit).toMatchObject({ class: "Frame", method: "goto", params: { url: "https://shop.test/orders" }, result: { value: "done" } });
    expect(visit?.endTime).toBeGreaterThanOrEqual(visit?.startTime ?? Number.NaN);
    expect(failed).toMatchObject({ error: { message: "Nothing matches text=Cancel" }, point: { x: 10, y: 20 }, box: { x: 0, width: 20 } });
    expect(failed?.log.map(({ message }) => message)).toEqual(["looking for what click needs"]);
    expect(model.errorDescriptors).toHaveLength(1);
    expect(await readdir(join(temp.dir, "screenshots"))).toEqual(["0001_goto.jpg", "0002_click.jpg", "0003_click.jpg"]);
    expect(warnings).toEqual([]);
  });

  it("of a run with secrets makes the film of its own pictures, which cover them", async () => {
    await using temp = await openTempFolder();
    const { recorder } = await startRecorder(temp.dir, { hasSecrets: () => true, takePicture: async () => jpeg("covered") });
    const page = aPage();
    recorder.attach(page);
    await record(recorder, 1, click("#a"), { page });
    await recorder.finish();
    const zip = await readZip(await readFile(join(temp.dir, "trace.zip")));
    const [frame] = (zip.get("trace.trace")?.toString() ?? "").split("\n").filter((line) => line.includes("screencast-frame"));
    const { sha1 } = JSON.parse(frame ?? "{}") as { sha1?: string };
    expect(zip.get(`resources/${sha1}`)).toEqual(Buffer.from(jpeg("covered")));
  });

  it("gives a valid zip after any calls, in which what was open shows as running", async () => {
    const calls = fc.array(fc.constantFrom("step", "endStep", "action", "log", "input", "picture", "end", "page"), { maxLength: 14 });
    await fc.assert(
      fc.asyncProperty(calls, async (ops) => {
        await using temp = await openTempFolder();
        const { recorder, warnings } = await startRecorder(temp.dir);
        const steps: { end(): void }[] = [];
        const open: ActionRecording[] = [];
        let page = aPage();
        let seq = 0;
        let ended = 0;
        for (const op of ops) {
          if (op === "step") steps.push(recorder.step(steps.length, `step ${steps.length}`));
          if (op === "endStep") steps.pop()?.end();
          if (op === "action") open.push(recorder.action({ seq: ++seq, action: click("#a"), title: null, page }));
          if (op === "page") page = aPage();
          if (op === "log") open.at(-1)?.observer.log("looking");
          if (op === "input") open.at(-1)?.observer.input({ page, point: { x: 1, y: 2 } });
          if (op === "picture") await open.at(-1)?.screenshot(page, `click_${seq}_${Math.random()}`);
          if (op === "end" && open.length > 0) {
            open.pop()?.end({ error: null, resultText: null });
            ended += 1;
          }
          const { actions } = await loadTrace(await collect(recorder.zip()));
          const clicks = actions.filter(({ method }) => method === "click");
          expect(clicks).toHaveLength(seq);
          expect(clicks.filter(({ endTime }) => endTime > 0)).toHaveLength(ended);
        }
        await recorder.finish();
        const { actions } = await loadTrace(await readFile(join(temp.dir, "trace.zip")));
        expect(actions.filter(({ endTime }) => !(endTime > 0))).toEqual([]);
        expect(actions.filter(({ error }) => error?.message.startsWith("The run ended before"))).toHaveLength(open.length);
        expect(warnings).toEqual([]);
      }),
      { numRuns: 25 },
    );
  });

  it("takes no snapshot before an action that follows another at once on the same page: viewers show the one after that", async () => {
    await using temp = await openTempFolder();
    const { recorder } = await startRecorder(temp.dir, { options: { enabled: true, trace: true, screenshots: false } });
    const page = aPage();
    for (const [seq, on] of [page, page, aPage()].entries()) {
      recorder.action({ seq, action: click("#a"), title: null, page: on }).end({ error: null, resultText: null });
    }
    await recorder.finish();
    const lines = (await readFile(join(temp.dir, "trace", "trace.trace"), "utf8"))
      .split("\n")
      .filter((line) => line.startsWith('{"type":"before"'));
    expect(lines.map((line) => (JSON.parse(line) as { beforeSnapshot?: string }).beforeSnapshot)).toEqual([
      "before@call@1",
      undefined,
      "before@call@3",
    ]);
  });

  it("says nothing of an action whose calls come late, twice or after the end", async () => {
    await using temp = await openTempFolder();
    const { recorder, warnings } = await startRecorder(temp.dir);
    const recording = recorder.action({ seq: 1, action: click("#a"), title: null, page: aPage() });
    recording.end({ error: null, resultText: null });
    recording.end({ error: "twice", resultText: null });
    recording.observer.input({ page: aPage(), point: { x: 1, y: 1 } });
    recording.observer.log("too late");
    expect(await recording.screenshot(aPage(), "click")).toBe("0001_click.jpg");
    await recorder.finish();
    recording.observer.log("much too late");
    expect(await recording.screenshot(aPage(), "late")).toBe(null);
    recorder.step(0, "late").end();
    const { actions } = await loadTrace(await collect(recorder.zip()));
    expect(actions.map(({ error, log }) => [error, log])).toEqual([[undefined, []]]);
    expect(warnings).toEqual([]);
  });

  it("finishes once, and its zip is the file from then on", async () => {
    await using temp = await openTempFolder();
    const { recorder } = await startRecorder(temp.dir);
    await record(recorder, 1, goto("https://shop.test/"));
    await Promise.all([recorder.finish(), recorder.finish()]);
    const { mtimeMs } = await stat(join(temp.dir, "trace.zip"));
    await recorder.finish();
    expect((await stat(join(temp.dir, "trace.zip"))).mtimeMs).toBe(mtimeMs);
    expect((await collect(recorder.zip())).equals(await readFile(join(temp.dir, "trace.zip")))).toBe(true);
    expect((await below(temp.dir)).filter((name) => name.endsWith(".part"))).toEqual([]);
  });

  it("is for its owner's eyes only", async () => {
    await using temp = await openTempFolder();
    const { recorder } = await startRecorder(temp.dir);
    await record(recorder, 1, goto("https://shop.test/"));
    await recorder.finish();
    for (const name of await below(temp.dir)) expect((await stat(join(temp.dir, name))).mode & 0o077, name).toBe(0);
  });

  it.each([
    [{ enabled: false, trace: true, screenshots: true }, []],
    [{ enabled: true, trace: false, screenshots: false }, []],
    [{ enabled: true, trace: false, screenshots: true }, ["screenshots", "screenshots/0001_goto.jpg"]],
    [{ enabled: true, trace: true, screenshots: false }, ["trace", "trace.zip", "trace/resources", "trace/trace.trace"]],
  ])("makes only the files that %o asks for", async (options, files) => {
    await using temp = await openTempFolder();
    let taken = 0;
    const takePicture = async () => jpeg(`picture ${++taken}`);
    const { recorder } = await startRecorder(temp.dir, { options, takePicture });
    recorder.step(0, "Open").end();
    const name = await record(recorder, 1, goto("https://shop.test/"));
    const isOff = !(options.enabled && options.trace);
    if (isOff) await expect(collect(recorder.zip())).rejects.toMatchObject({ code: "NOT_FOUND", details: { reason: "disabled" } });
    await recorder.finish();
    await recorder.released();
    expect(await below(temp.dir)).toEqual(files);
    expect(name).toBe(options.enabled && options.screenshots ? "0001_goto.jpg" : null);
    expect(taken).toBe(name === null ? 0 : 1);
    expect(recorder.artifacts().map(({ kind }) => kind)).toEqual([...(name ? ["screenshot"] : []), ...(isOff ? [] : ["trace"])]);
  });

  it("names pictures by number and action, beyond 9999 and whatever the action is called", async () => {
    await using temp = await openTempFolder();
    const { recorder } = await startRecorder(temp.dir);
    const page = aPage();
    const picture = (seq: number, name: string) => recorder.action({ seq, action: click("#a"), title: null, page }).screenshot(page, name);
    expect(await picture(12_345, "click")).toBe("12345_click.jpg");
    expect(await picture(7, "../../etc/passwd")).toMatch(/^0007_______etc_passwd-[0-9a-f]{8}\.jpg$/);
    expect(await readdir(join(temp.dir, "screenshots"))).toHaveLength(2);
    await recorder.finish();
  });

  it("never holds up an action longer than a picture's limit, nor fails it: the run is warned once, the trace says it each time", async () => {
    await using temp = await openTempFolder();
    const hang = () => new Promise<never>(() => {});
    const { recorder, warnings } = await startRecorder(temp.dir, { takePicture: hang, limits: { pictureMs: 10 } });
    expect(await record(recorder, 1, click("#a"))).toBe(null);
    expect(await record(recorder, 2, click("#a"))).toBe(null);
    const { actions, stdio } = await loadTrace(await collect(recorder.zip()));
    expect(actions.map(({ endTime }) => endTime > 0)).toEqual([true, true]);
    expect(stdio.filter(({ text }) => text.includes("could not be taken"))).toHaveLength(2);
    expect(warnings).toMatchObject([{ code: "INTERNAL", message: "A picture could not be taken: it took too long" }]);
    await recorder.finish();
  });

  it("lets go of a picture under way when the run ends, without a warning", async () => {
    await using temp = await openTempFolder();
    const { recorder, warnings } = await startRecorder(temp.dir, { takePicture: () => new Promise<never>(() => {}) });
    const page = aPage();
    const stop = new AbortController();
    const stopped = recorder.action({ seq: 1, action: click("#a"), title: null, page }).screenshot(page, "click", stop.signal);
    stop.abort();
    expect(await stopped).toBe(null);
    const under = recorder.action({ seq: 2, action: click("#a"), title: null, page }).screenshot(page, "click");
    await recorder.finish();
    expect(await under).toBe(null);
    expect(warnings).toEqual([]);
  });

  it("stays valid past each limit, and says which one it was", async () => {
    await using temp = await openTempFolder();
    const { recorder, warnings } = await startRecorder(temp.dir, { limits: { traceBytes: 20_000, pictures: 2 } });
    const step = recorder.step(0, "Many clicks");
    for (let seq = 1; seq <= 100; seq++) await record(recorder, seq, click("#a"));
    step.end();
    await recorder.finish();
    const { actions, stdio } = await loadTrace(await readFile(join(temp.dir, "trace.zip")));
    const said = stdio.map(({ text }) => text).filter((text) => text.startsWith("Recording limit reached"));
    expect(said).toEqual([expect.stringContaining("2 pictures"), expect.stringContaining("20000 bytes of events")]);
    expect(actions.length).toBeGreaterThan(10);
    expect(actions.length).toBeLessThan(100);
    expect(actions.filter(({ endTime }) => !(endTime > 0))).toEqual([]);
    expect(await readdir(join(temp.dir, "screenshots"))).toHaveLength(2);
    expect(warnings).toEqual([]);
  });

  it("writes no secret and no typed text, wherever they came from", async () => {
    await using temp = await openTempFolder();
    const secret = 'p@ss "word"/é';
    const typed = "typed in plain";
    const mask = (text: string) => text.replaceAll(secret, "[redacted]");
    const { recorder } = await startRecorder(temp.dir, { mask, title: `Log in with ${secret}` });
    recorder.step(0, `Type ${secret}`);
    const page = aPage();
    const action = typing(`input[value='${secret}']`, typed, "Enter");
    const recording = recorder.action({ seq: 1, action, title: `Type ${secret}`, page });
    recording.observer.log(`value is ${secret}`);
    await recording.screenshot(page, "key_press");
    recording.end({ error: `Nothing matches ${secret}`, resultText: `${"x".repeat(9_995)}${secret}` }); // a cut within the secret must not leave its half
    await record(recorder, 2, goto(`https://shop.test/?token=${secret}`));
    await recorder.finish();
    const events = (await readZip(await readFile(join(temp.dir, "trace.zip")))).get("trace.trace")?.toString() ?? "";
    expect(events).toContain("[redacted]");
    expect(events).not.toContain(typed);
    expect(events).not.toContain("p@ss");
    expect(await below(temp.dir)).not.toContainEqual(expect.stringContaining("p@ss"));
  });

  it("keeps to its own run, however many record at once", async () => {
    await using temp = await openTempFolder();
    await using other = await openTempFolder();
    const runs = [await startRecorder(temp.dir), await startRecorder(other.dir)] as const;
    await Promise.all(
      runs.map(async ({ recorder }, run) => {
        for (let seq = 1; seq <= 30; seq++) await record(recorder, seq, goto(`https://run-${run}.test/${seq}`));
        await recorder.finish();
      }),
    );
    for (const [run, { dir }] of [temp, other].entries()) {
      const { actions } = await loadTrace(await readFile(join(dir, "trace.zip")));
      expect(actions.map(({ params }) => params.url)).toEqual(Array.from({ length: 30 }, (_, n) => `https://run-${run}.test/${n + 1}`));
    }
  });

  it("is released only when its last reader has left, with every file closed", async () => {
    await using temp = await openTempFolder();
    const { recorder } = await startRecorder(temp.dir, { takePicture: async () => jpeg("a", 600_000) });
    await record(recorder, 1, click("#a"));
    const live = recorder.zip()[Symbol.asyncIterator]();
    await live.next();
    await recorder.finish();
    const stored = recorder.zip()[Symbol.asyncIterator]();
    await stored.next();
    let released = false;
    const releasing = recorder.released().then(() => {
      released = true;
    });
    await live.return?.();
    await new Promise((resolve) => setImmediate(resolve));
    expect(released).toBe(false);
    await stored.return?.();
    await releasing;
    expect(await openFilesBelow(temp.dir)).toEqual([]);
  });

  it("warns and records what else it can when its folder does not take a trace", async () => {
    await using temp = await openTempFolder();
    const first = await startRecorder(temp.dir);
    const second = await startRecorder(temp.dir); // the trace has its writer
    await record(second.recorder, 1, click("#a"));
    await second.recorder.finish();
    expect(second.warnings.map(({ message }) => message)).toEqual([expect.stringContaining("The trace could not be opened")]);
    await expect(collect(second.recorder.zip())).rejects.toMatchObject({ code: "NOT_FOUND", details: { reason: "persist_failed" } });
    expect(second.recorder.artifacts().map(({ name }) => name)).toEqual(["screenshots/0001_click.jpg"]);
    await first.recorder.finish();
  });
});
