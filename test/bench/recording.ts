/** (6) What a recording costs: a flow of 15 actions without one, with ours, and with Playwright's tracing beside its own flow; and a run of 500 actions. */

import { stat } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { chromium } from "playwright-core";
import type { Browser } from "puppeteer-core";
import type { RecordingOptions } from "../../shared/recording.ts";
import { type Flow, openFlow } from "../recording/flow.ts";
import { click, goto, openTempFolder, typing } from "../recording/support.ts";
import { CHROME_PATH, openChrome } from "../support/chrome.ts";
import { usedBytes } from "../support/used-bytes.ts";
import { type BenchResult, median } from "./support/result.ts";

const ROUNDS = 4;
const FIELDS = 10;
const ACTIONS = FIELDS + 5;
const LONG_RUN = 500;

const fields = Array.from({ length: FIELDS }, (_, i) => `<label>Field ${i}<input id=f${i}></label>`).join("");
const rows = Array.from({ length: 150 }, (_, i) => `<tr><td>${i}<td>Customer ${i}<td>${(i * 7919) % 1000}<td>open</tr>`).join("");
const page = (
  title: string,
) => `<!doctype html><title>${title}</title><style>body{font:16px sans-serif}table{border-collapse:collapse}td{border:1px solid #ccd}</style>
<h1>${title}</h1><form onsubmit="return false">${fields}</form><button id=more onclick="this.textContent+='!'">More</button><button id=load
onclick="fetch('/data').then(r=>r.json()).then(d=>document.querySelector('h1').textContent=d.title)">Load</button><a id=next href=/next>Next</a><table>${rows}</table>`;

type Modes = "none" | "none, at rest" | "trace alone" | "trace and film strip" | "default: film, pictures";
const OPTIONS: Record<Modes, RecordingOptions> = {
  none: { enabled: false, trace: false, screenshots: false },
  "none, at rest": { enabled: false, trace: false, screenshots: false },
  "trace alone": { enabled: true, trace: true, screenshots: false },
  "trace and film strip": { enabled: true, trace: true, screenshots: true },
  "default: film, pictures": { enabled: true, trace: true, screenshots: true },
};

export async function bench(): Promise<BenchResult> {
  await using site = await openSite();
  await using chrome = await openChrome();
  const playwright = await chromium.launch({ executablePath: CHROME_PATH, args: ["--no-sandbox", "--disable-gpu"] });
  const modes = Object.keys(OPTIONS) as Modes[];
  const ms: Record<string, number[]> = {};
  const kb: Record<string, number[]> = {};
  const cpu: Record<string, number[]> = {};
  const note = (name: string, { wallMs, bytes, cpuMs = 0 }: { wallMs: number; bytes: number; cpuMs?: number }) => {
    ms[name] = [...(ms[name] ?? []), wallMs];
    cpu[name] = [...(cpu[name] ?? []), cpuMs];
    kb[name] = [...(kb[name] ?? []), bytes / 1024];
  };
  try {
    for (let round = -1; round < ROUNDS; round++) {
      const arms = [
        ...modes.map((mode) => [mode, () => ours(chrome.browser, site.url, mode)] as const),
        ...[false, true].map((traced) => [`Playwright${traced ? ", traced" : ""}`, () => theirs(playwright, site.url, traced)] as const),
      ];
      for (const [name, run] of arms.toSorted(() => Math.random() - 0.5)) {
        const result = await run();
        if (round >= 0) note(name, result); // the first round warms both up
      }
    }
  } finally {
    await playwright.close();
  }
  const long = await longRun(chrome.browser, site.url);
  const of = (name: string) => median(ms[name] ?? []);
  const added = (name: string, base: string, of = ms) => median((of[name] ?? []).map((each, i) => (each - (of[base]?.[i] ?? 0)) / ACTIONS));
  const ratio = (name: string, base: string) => median((ms[name] ?? []).map((each, i) => each / (ms[base]?.[i] ?? 1)));
  const row = (name: string, base: string) => [
    name,
    of(name).toFixed(0),
    name === base ? "–" : added(name, base).toFixed(1),
    name === base ? "–" : ratio(name, base).toFixed(2),
    name === base || !cpu[name]?.[0] ? "–" : added(name, base, cpu).toFixed(1),
    median(kb[name] ?? []).toFixed(0),
  ];
  return {
    title: `Recording a flow of ${ACTIONS} actions, ${ROUNDS} interleaved rounds`,
    notes: [
      "Actions as a session does them, from the first to the last, without opening and finishing; medians of pairs. CPU: of Node and Chrome.",
      "Trace and film strip: what Playwright's tracing keeps. By default there is a JPEG file for each action besides, which is waited for, and before it, at most",
      "500 ms, what the action has started (“at rest”); a trace waits for snapshots at the input only.",
      `${LONG_RUN} actions: heap and buffers grew by ${long.grownMb.toFixed(1)} MB after the first 100; trace.zip ${(long.bytes / 1024).toFixed(0)} KB.`,
    ],
    table: [
      ["", "ms", "+ms an action", "ratio", "+CPU ms", "zip KB"],
      ...modes.map((mode) => row(mode, "none")),
      row("Playwright", "Playwright"),
      row("Playwright, traced", "Playwright"),
    ],
    aims: [
      {
        what: "added to an action by trace and film strip",
        value: added("trace and film strip", "none"),
        unit: "ms",
        aim: 10,
        better: "less",
      },
      { what: "trace.zip of the flow", value: median(kb["default: film, pictures"] ?? []), unit: "KB", aim: 350, better: "less" },
      { what: `first byte of a live download after ${LONG_RUN} actions`, value: long.firstByteMs, unit: "ms", aim: 100, better: "less" },
    ],
  };
}

async function openSite(): Promise<{ url: string } & AsyncDisposable> {
  const server = createServer((request, response) => {
    if (request.url === "/data") response.setHeader("Content-Type", "application/json").end('{"title":"Loaded"}');
    else response.setHeader("Content-Type", "text/html").end(page(request.url === "/next" ? "Next" : "First"));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function ours(browser: Browser, url: string, mode: Modes): Promise<{ wallMs: number; bytes: number; cpuMs: number }> {
  await using temp = await openTempFolder();
  await using flow = await openFlow(browser, temp.dir, {
    options: OPTIONS[mode],
    rests: mode === "default: film, pictures" || mode === "none, at rest",
    pictures: mode === "default: film, pictures",
  });
  const cpuBefore = await usedCpuMs(browser);
  const began = performance.now();
  await flow.act(goto(`${url}/`));
  for (let i = 0; i < FIELDS; i++) await flow.act(typing(`#f${i}`, `value ${i}`));
  for (const selector of ["#more", "#load", "#next", "#more"]) await flow.act(click(selector));
  const wallMs = performance.now() - began;
  const cpuMs = (await usedCpuMs(browser)) - cpuBefore;
  await flow.recorder.finish();
  if (flow.warnings.length > 0) throw flow.warnings[0];
  return { wallMs, cpuMs, bytes: OPTIONS[mode].enabled ? (await stat(join(temp.dir, "trace.zip"))).size : 0 };
}

/** Of this process and of Chrome's that live. */
async function usedCpuMs(browser: Browser): Promise<number> {
  const session = await browser.target().createCDPSession();
  const { processInfo } = await session.send("SystemInfo.getProcessInfo");
  await session.detach();
  const { user, system } = process.cpuUsage();
  return processInfo.reduce((ms, { cpuTime }) => ms + cpuTime * 1000, (user + system) / 1000);
}

async function theirs(browser: Awaited<ReturnType<typeof chromium.launch>>, url: string, traced: boolean) {
  await using temp = await openTempFolder();
  const path = join(temp.dir, "trace.zip");
  const context = await browser.newContext({ viewport: { width: 1280, height: 720 } });
  try {
    if (traced) await context.tracing.start({ screenshots: true, snapshots: true });
    const shown = await context.newPage();
    const began = performance.now();
    await shown.goto(`${url}/`);
    for (let i = 0; i < FIELDS; i++) await shown.fill(`#f${i}`, `value ${i}`);
    for (const selector of ["#more", "#load", "#next", "#more"]) await shown.click(selector);
    const wallMs = performance.now() - began;
    if (traced) await context.tracing.stop({ path });
    return { wallMs, bytes: traced ? (await stat(path)).size : 0 };
  } finally {
    await context.close();
  }
}

/** One page, one of its fields filled over and over. */
async function longRun(browser: Browser, url: string) {
  await using temp = await openTempFolder();
  await using flow = await openFlow(browser, temp.dir, { rests: false, pictures: false });
  await flow.act(goto(`${url}/`));
  let at100 = 0;
  for (let i = 1; i < LONG_RUN; i++) {
    await flow.act(typing("#f0", `value ${i}`));
    if (i === 100) at100 = usedBytes();
  }
  const grownMb = (usedBytes() - at100) / 1024 / 1024;
  const firstByteMs = await firstByte(flow);
  await flow.recorder.finish();
  return { grownMb, firstByteMs, bytes: (await stat(join(temp.dir, "trace.zip"))).size };
}

async function firstByte(flow: Flow): Promise<number> {
  const began = performance.now();
  const reader = flow.recorder.zip()[Symbol.asyncIterator]();
  await reader.next();
  const ms = performance.now() - began;
  await reader.return?.();
  return ms;
}
