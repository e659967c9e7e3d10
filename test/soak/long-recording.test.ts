import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { click, openTempFolder, record, startRecorder } from "../recording/support.ts";
import { loadTrace } from "../recording/viewer-model.ts";
import { openChrome } from "../support/chrome.ts";
import { usedBytes } from "../support/used-bytes.ts";
import { readZip } from "../support/zip.ts";

it("holds no more memory after 500 actions than after 100, and its download starts within 100 ms while it runs and when it is over", async () => {
  await using temp = await openTempFolder();
  const { recorder, warnings } = await startRecorder(temp.dir, { takePicture: async () => randomBytes(60_000) });
  await using chrome = await openChrome();
  const page = await chrome.browser.newPage();
  await page.setContent(`<ul>${"<li>row".repeat(300)}</ul>`);
  await recorder.attach(page);
  const used: number[] = [];
  const firstByteMs: number[] = [];
  const firstByte = async () => {
    const started = performance.now();
    const reader = recorder.zip()[Symbol.asyncIterator]();
    await reader.next();
    firstByteMs.push(performance.now() - started);
    return reader;
  };
  const slow = await firstByte(); // a reader that never comes back for more
  for (let seq = 1; seq <= 500; seq++) {
    const recording = recorder.action({ seq, action: click(`#row-${seq}`), title: null, page });
    for (let line = 0; line < 10; line++) recording.observer.log(`try ${line}: ${"nothing yet ".repeat(8)}`);
    await recording.observer.input({ page, point: { x: 1, y: 1 } });
    await recording.screenshot(page, "click");
    recording.end({ error: null, resultText: `row ${seq}` });
    if (seq === 250) await (await firstByte()).return?.();
    if (seq === 100 || seq === 500) used.push(usedBytes());
  }
  await (await firstByte()).return?.();
  await recorder.finish();
  await (await firstByte()).return?.();
  await slow.return?.();
  const [at100 = 0, at500 = 0] = used;
  expect(at500 - at100).toBeLessThan(6_000_000); // the pictures alone are 24 MB
  const median = firstByteMs.toSorted((a, b) => a - b)[2]; // the machine may be busy with others
  expect(median).toBeLessThan(100);
  const zip = await readFile(join(temp.dir, "trace.zip"));
  expect((await loadTrace(zip)).actions).toHaveLength(500);
  const { "trace.trace": events, ...blobs } = Object.fromEntries(await readZip(zip));
  expect(events?.toString().split('"isMainFrame":true').length).toBeGreaterThan(900); // at each action and after it
  expect(Object.keys(blobs).length).toBeLessThan(50); // the pictures lie beside it
  expect(warnings).toEqual([]);
});

it("is whole for a reader as slow as it likes, of the moment it came", async () => {
  await using temp = await openTempFolder();
  const text = randomBytes(3_000_000).toString("base64");
  const { recorder } = await startRecorder(temp.dir, { source: { file: "playbooks/long.yaml", text, stepLines: [] } });
  for (let seq = 1; seq <= 20; seq++) await record(recorder, seq, click("#a"));
  const chunks: Uint8Array[] = [];
  let seq = 20;
  for await (const chunk of recorder.zip()) {
    chunks.push(chunk);
    await record(recorder, ++seq, click("#meanwhile"));
  }
  expect(seq).toBeGreaterThan(25);
  expect((await loadTrace(Buffer.concat(chunks))).actions).toHaveLength(20);
  await recorder.finish();
});
