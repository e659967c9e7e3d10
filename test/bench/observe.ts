/** (7) A look of the understudy at five large pages: from the question to the text that a model is sent. */
import { mapPage } from "../../pool/actions/page-map.ts";
import { createObserver } from "../../pool/agent/observe.ts";
import { estimateTokens } from "../../pool/agent/tokens.ts";
import { openHarness } from "../actions/harness.ts";
import { FRAMES, LARGE_PAGES } from "../agent/large-pages.ts";
import { type BenchResult, median } from "./support/result.ts";

const LOOKS = 15;
const AIM_MS = 150;

export async function bench(): Promise<BenchResult> {
  await using harness = await openHarness();
  const rows: { name: string; times: number[]; tokens: number }[] = [];
  for (const [name, html] of Object.entries(LARGE_PAGES)) {
    await using page = await harness.open(html, FRAMES);
    const look = async () => createObserver((text) => text).see(await mapPage(page.tabs, page.stop.signal));
    let { text } = await look(); // the engine is there now, as it is after any action
    const times: number[] = [];
    for (let i = 0; i < LOOKS; i += 1) {
      const began = performance.now();
      ({ text } = await look());
      times.push(performance.now() - began);
    }
    rows.push({ name, times, tokens: estimateTokens(text) });
  }
  return {
    title: `A whole look at a large page, ${LOOKS} each`,
    notes: ["The engine is in the page already. Nothing is remembered between looks."],
    table: [
      ["", "median ms", "best ms", "tokens"],
      ...rows.map(({ name, times, tokens }) => [name, median(times).toFixed(0), Math.min(...times).toFixed(0), String(tokens)]),
    ],
    aims: rows.map(({ name, times }) => ({ what: name, value: median(times), unit: "ms", aim: AIM_MS, better: "less" })),
  };
}
