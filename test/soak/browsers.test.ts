import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { chromesUnder, foldersUnder, openPool, renderersOf, soon, type TestPool, until, VIEWPORT } from "../browsers/support.ts";

describe("many leases", () => {
  let pool: TestPool;
  beforeAll(async () => {
    pool = await openPool({ warm: 1, healthTickMs: 100 });
  });
  afterAll(() => pool[Symbol.asyncDispose]());
  const take = () => pool.lease(crypto.randomUUID(), { signal: soon(), viewport: VIEWPORT });
  const pidOf = (browserId: string) => pool.list().find((each) => each.browser_id === browserId)?.pid ?? 0;

  const FAULTS: Record<string, (pid: number) => void> = {
    none: () => {},
    "browser killed": (pid) => process.kill(pid, "SIGKILL"),
    "browser stopped": (pid) => process.kill(pid, "SIGSTOP"),
    "page stopped": (pid) => {
      for (const renderer of renderersOf(pid)) process.kill(renderer, "SIGSTOP");
    },
    "page killed": (pid) => {
      for (const renderer of renderersOf(pid)) process.kill(renderer, "SIGKILL");
    },
  };

  it("leave nothing but the spare, 60 in a row with faults mixed in", async () => {
    const faults = Object.values(FAULTS);
    for (let i = 0; i < 60; i++) {
      await using lease = await take();
      lease.page.evaluate("while (true) {}").catch(() => {}); // ends with the browser
      faults[i % faults.length]?.(pidOf(lease.browserId));
    }
    await until(() => pool.list().length === 1 && pool.counts().warm === 1, 30_000);
    expect(foldersUnder(pool.dataDir)).toHaveLength(1);
    expect(chromesUnder(pool.dataDir)).toHaveLength(1);
    expect(pool.egresses.filter((each) => each.isOpen)).toHaveLength(1);
    expect(pool.counts().busy).toBe(0);
  });
});
