/**
 * puppeteer-cluster, which is a library, in a process of its own: `node cluster-host.ts <folder with its package> <BROWSER|CONTEXT> <url> <sessions at once>`.
 * `{ id, hold }` asks for a session; `{ id, readyMs, readMs }` tells that it is over, or, with `hold`, that it is open until `{ id, release }`.
 */
import { createRequire } from "node:module";
import { join } from "node:path";
import puppeteer, { type Page } from "puppeteer-core";
import { CHROME_PATH } from "../../support/chrome.ts";
import { HEADLESS_ARGS, VIEWPORT } from "../../support/headless.ts";
import { openAndRead, type Timing } from "./contender.ts";
import { endWithBench } from "./life-line.ts";

export type Ask = { id: number; hold: boolean } | { id: number; release: true };
export type Answer = ({ id: number } & Timing) | { id: number; error: string } | "ready";

type Cluster = { execute<T>(task: (job: { page: Page }) => Promise<T>): Promise<T> };
type ClusterClass = { launch(options: object): Promise<Cluster> } & Record<`CONCURRENCY_${string}`, number>;

endWithBench();
const [folder = "", concurrency = "", url = "", size] = process.argv.slice(2);
const { Cluster } = createRequire(join(folder, "package.json"))("puppeteer-cluster") as { Cluster: ClusterClass };
const cluster = await Cluster.launch({
  puppeteer,
  concurrency: Cluster[`CONCURRENCY_${concurrency}`],
  maxConcurrency: Number(size),
  puppeteerOptions: { executablePath: CHROME_PATH, pipe: true, headless: true, args: HEADLESS_ARGS, defaultViewport: VIEWPORT },
  timeout: 120_000,
});
const tell = (answer: Answer) => void process.send?.(answer);
const held = new Map<number, () => void>();

async function session({ id, hold }: { id: number; hold: boolean }): Promise<void> {
  const startedAt = performance.now();
  const timing = await cluster.execute(async ({ page }) => {
    const readyMs = performance.now() - startedAt;
    await openAndRead(page, url);
    const timing = { readyMs, readMs: performance.now() - startedAt };
    if (hold) {
      const released = new Promise<void>((resolve) => held.set(id, resolve));
      tell({ id, ...timing });
      await released;
    }
    return timing;
  });
  tell({ id, ...timing });
}

process.on("message", (ask: Ask) => {
  if ("release" in ask) held.get(ask.id)?.();
  else session(ask).catch((error: unknown) => tell({ id: ask.id, error: String(error) }));
});
tell("ready");
