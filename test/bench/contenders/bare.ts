/** No pool at all: a script that launches a Chrome for each session. What the others are compared with. */
import { launchFresh } from "../support/pool.ts";
import { family } from "../support/usage.ts";
import { type Contender, openAndRead } from "./contender.ts";

export function openBare(url: string): Contender {
  const pids = new Set<number>();
  const open = async () => {
    const startedAt = performance.now();
    const chrome = await launchFresh();
    const pid = chrome.browser.process()?.pid as number;
    pids.add(pid);
    const readyMs = performance.now() - startedAt;
    const dispose = async () => {
      await chrome[Symbol.asyncDispose]();
      pids.delete(pid);
    };
    try {
      await openAndRead(chrome.page, url);
    } catch (error) {
      await dispose();
      throw error;
    }
    return { readyMs, readMs: performance.now() - startedAt, [Symbol.asyncDispose]: dispose };
  };
  return {
    name: "bare puppeteer, fresh Chrome each",
    processes: () => ({ own: [], browsers: family([...pids]).map(({ pid }) => pid) }),
    async session() {
      await using session = await open();
      return { readyMs: session.readyMs, readMs: session.readMs };
    },
    hold: open,
    rest: async () => {},
    [Symbol.asyncDispose]: async () => {},
  };
}
