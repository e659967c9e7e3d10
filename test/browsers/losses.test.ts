import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Lease } from "../../pool/browsers/browsers.ts";
import { aborted, membersOf, openPool, renderersOf, soon, type TestEgress, type TestPool, VIEWPORT } from "./support.ts";

/** Instead of a second: a hang shows after 2 ticks of rest, 12 without an answer and 3 after first aid. */
const TICK_MS = 80;

describe("a run's browser that is lost", () => {
  let pool: TestPool;
  beforeAll(async () => {
    pool = await openPool({ healthTickMs: TICK_MS });
  });
  afterAll(() => pool[Symbol.asyncDispose]());

  const take = () => pool.lease("run", { signal: soon(), viewport: VIEWPORT });
  const pidOf = (lease: Lease<TestEgress>) => pool.list().find((each) => each.browser_id === lease.browserId)?.pid ?? 0;
  const loss = (what: string) => ({ code: "BROWSER_CRASHED", details: expect.objectContaining({ what }) });
  /** So many turns of the probes: long enough for a false alarm. */
  const ticks = (n: number) =>
    new Promise<void>((resolve) => {
      let left = n;
      const timer = setInterval(() => {
        left -= 1;
        if (left > 0) return;
        clearInterval(timer);
        resolve();
      }, TICK_MS);
    });

  it("is told at once when its process is killed", async () => {
    await using lease = await take();
    const pid = pidOf(lease);
    const pending = expect(lease.page.evaluate("new Promise(() => {})")).rejects.toThrow("Target closed");
    process.kill(pid, "SIGKILL");
    expect(await aborted(lease.lost)).toMatchObject(loss("browser_exit"));
    await pending;
    await lease[Symbol.asyncDispose]();
    expect(membersOf(pid)).toEqual([]);
  });

  it("is told at once when its page crashes", async () => {
    await using lease = await take();
    for (const renderer of renderersOf(pidOf(lease))) process.kill(renderer, "SIGKILL");
    expect(await aborted(lease.lost)).toMatchObject(loss("page_crash"));
    expect(lease.egress).toMatchObject({ isCut: true, isOpen: true }); // what else is in that Chrome reaches nothing, however long its end takes
  });

  it("has no way out any more in the tick in which an operator kills it, or its session", async () => {
    const [one, other] = [await take(), await take()];
    pool.kill(Number(one.browserId.split(".").at(-1)));
    other.kill();
    expect([one.egress.isCut, other.egress.isCut]).toEqual([true, true]);
    await Promise.all([one, other].map((lease) => lease[Symbol.asyncDispose]()));
    expect([one.egress.isOpen, other.egress.isOpen]).toEqual([false, false]);
  });

  it("is told when its process stops answering, and is gone after disposing all the same", async () => {
    await using lease = await take();
    const pid = pidOf(lease);
    process.kill(pid, "SIGSTOP");
    expect(await aborted(lease.lost)).toMatchObject(loss("browser_hang"));
    await lease[Symbol.asyncDispose]();
    expect(membersOf(pid)).toEqual([]);
  });

  it("is told when its page stops answering, and leaves no stopped renderer behind", async () => {
    await using lease = await take();
    const pid = pidOf(lease);
    for (const renderer of renderersOf(pid)) process.kill(renderer, "SIGSTOP");
    expect(await aborted(lease.lost)).toMatchObject(loss("page_hang"));
    await lease[Symbol.asyncDispose]();
    expect(membersOf(pid)).toEqual([]);
  });

  it("gets first aid when its page runs in a circle: the script ends, the run goes on; and is told when it does so again", async () => {
    await using lease = await take();
    await expect(lease.page.evaluate("while (true) {}")).rejects.toThrow();
    expect(await lease.page.evaluate("1 + 1")).toBe(2);
    expect(lease.lost.aborted).toBe(false);
    lease.page.evaluate("while (true) {}").catch(() => {}); // ends with the browser
    expect(await aborted(lease.lost)).toMatchObject(loss("page_hang"));
  });

  it("is told of the page that the run acts on, not of another", async () => {
    await using lease = await take();
    const popup = await lease.browser.newPage();
    const crashed = new Promise((resolve) => popup.once("error", resolve));
    const crash = await popup.createCDPSession();
    crash.send("Page.crash").catch(() => {}); // never answered
    await crashed;
    expect(lease.lost.aborted).toBe(false);

    const second = await lease.browser.newPage();
    lease.follow(second);
    const session = await second.createCDPSession();
    session.send("Page.crash").catch(() => {});
    expect(await aborted(lease.lost)).toMatchObject(loss("page_crash"));
  });

  it("does not take an open dialog, a debugger's pause, a busy page or the node's own standstill for a hang", async () => {
    await using lease = await take();
    const opened = new Promise<{ accept(): Promise<void> }>((resolve) => lease.page.once("dialog", resolve));
    const answer = lease.page.evaluate("confirm('Cancel the order?')");
    const dialog = await opened;
    await ticks(18);
    expect(lease.lost.aborted).toBe(false);
    await dialog.accept();
    expect(await answer).toBe(true);

    const session = await lease.page.createCDPSession();
    await session.send("Debugger.enable");
    const paused = new Promise((resolve) => session.once("Debugger.paused", resolve));
    const seven = lease.page.evaluate("debugger; 7");
    await paused;
    await ticks(18);
    expect(lease.lost.aborted).toBe(false);
    await session.send("Debugger.resume");
    expect(await seven).toBe(7);
    await session.detach();

    for (let i = 0; i < 3; i++) await lease.page.evaluate(`{ const end = Date.now() + ${7 * TICK_MS}; while (Date.now() < end) {} }`);
    expect(lease.lost.aborted).toBe(false);

    const end = performance.now() + 18 * TICK_MS;
    while (performance.now() < end); // the event loop turns for nobody
    await ticks(3);
    expect(lease.lost.aborted).toBe(false);

    await expect(lease.page.evaluate("while (true) {}")).rejects.toThrow(); // the page is still watched
  });
});
