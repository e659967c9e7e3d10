/** (7) Ours beside browserless, puppeteer-cluster and no pool at all: session ready, sessions a minute, memory of a session, CPU time. */
import { openBare } from "./contenders/bare.ts";
import { openBrowserless } from "./contenders/browserless.ts";
import { openCluster } from "./contenders/cluster.ts";
import type { Contender, Timing } from "./contenders/contender.ts";
import { installPeers, PEERS } from "./contenders/install.ts";
import { openOurs } from "./contenders/ours.ts";
import { percentile } from "./support/pool.ts";
import { type Aim, type BenchResult, median } from "./support/result.ts";
import { type CpuUse, pssMb, watchCpu } from "./support/usage.ts";

const READY_ROUNDS = 20;
const RATE_ROUNDS = 3;
const SESSIONS = 6;
const CONCURRENCY = 2;
/** Sessions beyond the first that are held open. */
const EXTRA = 2;

type Measured = { timings: Timing[]; perMinute: number[]; cpu: CpuUse[]; firstMb: number; extraMb: number };

export async function bench(): Promise<BenchResult> {
  await using opened = new AsyncDisposableStack();
  return await Promise.race([compare(opened), untilInterrupted(opened)]);
}

/** Ctrl+C too ends what is open. */
function untilInterrupted(opened: AsyncDisposableStack): Promise<never> {
  return new Promise((_, reject) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      const onSignal = () => reject(new Error(`Ended by ${signal}`));
      process.once(signal, onSignal);
      opened.defer(() => void process.off(signal, onSignal));
    }
  });
}

/** What it opens is on the stack. */
async function compare(opened: AsyncDisposableStack): Promise<BenchResult> {
  const folder = await installPeers();
  const ours = opened.use(await openOurs());
  const { rests } = ours;
  const { url } = ours.system.dashboard;
  const bare = opened.use(openBare(url));
  const browserless = opened.use(await openBrowserless(folder, url));
  const clusters = [opened.use(await openCluster(folder, "BROWSER", url)), opened.use(await openCluster(folder, "CONTEXT", url))];
  const peers = [browserless, ...clusters];
  const all = [ours, ...peers, bare];
  const measured = new Map<Contender, Measured>(
    all.map((each) => [each, { timings: [], perMinute: [], cpu: [], firstMb: Number.NaN, extraMb: Number.NaN }]),
  );
  const of = (contender: Contender) => measured.get(contender) as Measured;

  for (const each of all) await each.session(); // warms it up
  for (let round = 0; round < READY_ROUNDS; round++) {
    for (const each of rotated(all, round)) {
      await each.rest();
      of(each).timings.push(await each.session());
    }
  }
  for (let round = 0; round < RATE_ROUNDS; round++) {
    for (const each of rotated(all, round)) {
      await each.rest();
      const watch = watchCpu(each.processes);
      const minutes = await minutesFor(each);
      await each.rest();
      of(each).cpu.push(watch.stop());
      of(each).perMinute.push(SESSIONS / minutes);
    }
  }
  for (const each of all) Object.assign(of(each), await memoryOf(each));

  const ready = (each: Contender) => of(each).timings.map(({ readyMs }) => readyMs);
  const perMinute = (each: Contender) => median(of(each).perMinute);
  const extraMb = (each: Contender) => of(each).extraMb;
  const cpuMs = (each: Contender, of_: (use: CpuUse) => number) => median(of(each).cpu.map((use) => of_(use) / SESSIONS));
  const row = (each: Contender) => [
    each.name,
    median(ready(each)).toFixed(0),
    percentile(ready(each), 0.95).toFixed(0),
    median(of(each).timings.map(({ readMs }) => readMs)).toFixed(0),
    perMinute(each).toFixed(0),
    extraMb(each).toFixed(0),
    of(each).firstMb.toFixed(0),
    cpuMs(each, ({ ownMs }) => ownMs).toFixed(0),
    cpuMs(each, ({ browsersMs }) => browsersMs).toFixed(0),
  ];
  const paired = (values: (each: Contender) => number[], a: Contender, b: Contender) =>
    median(values(a).map((value, i) => value / (values(b)[i] as number)));
  const best = (value: (each: Contender) => number, better: "more" | "less") =>
    (better === "more" ? Math.max : Math.min)(...peers.map(value));
  /** Against whichever peer is the best at it. */
  const first = (what: string, value: (each: Contender) => number, better: "more" | "less"): Aim => ({
    what: `${what} against the best peer`,
    value: value(ours) / best(value, better),
    unit: "×",
    aim: 1,
    better,
  });
  const share = of(ours).cpu.map(({ ownMs, browsersMs }) => (100 * ownMs) / (ownMs + browsersMs));
  return {
    title: `Ours beside ${Object.entries(PEERS)
      .map(([name, version]) => `${name} ${version}`)
      .join(" and ")}`,
    notes: [
      "A session: a browser, one page opened, one text read, ended. Ours: POST of a playbook, its events over HTTP, with queue, store and egress guard; recording off.",
      "browserless: connect over its WebSocket, no warm browsers (it has none to switch on). puppeteer-cluster is a library in the caller's process; both its modes give each session a context in a Chrome that lives on.",
      `One at a time: ${READY_ROUNDS} interleaved rounds. At concurrency ${CONCURRENCY}: ${RATE_ROUNDS} rounds of ${SESSIONS}. PSS: all processes of a system, with 1 and with ${1 + EXTRA} sessions on the page.`,
      "CPU of a session at that concurrency: of the system's own processes, and of its Chromes; who drives a page of browserless and of bare puppeteer is the bench itself, which is not counted.",
      ...(rests.withoutSpare === 0
        ? []
        : [
            `The machine was busy, and a node launches no spares then: ours began without one ${rests.withoutSpare} times of ${rests.all}.`,
          ]),
    ],
    table: [
      ["", "ready p50 ms", "p95", "text read p50", "sessions/min", "PSS/session MB", "PSS of one MB", "CPU own ms", "CPU Chrome ms"],
      ...all.map(row),
    ],
    aims: [
      { what: "session ready, times sooner than browserless", value: paired(ready, browserless, ours), unit: "×", aim: 5, better: "more" },
      first("session ready, p50", (each) => median(ready(each)), "less"),
      first("session ready, p95", (each) => percentile(ready(each), 0.95), "less"),
      first("sessions a minute", perMinute, "more"),
      first("memory of a session more", extraMb, "less"),
      {
        what: "sessions a minute against a fresh launch, median of paired ratios",
        value: paired((each) => of(each).perMinute, ours, bare),
        unit: "×",
        aim: 0.97,
        better: "more",
      },
      { what: "CPU of edge and node, of all that a session takes", value: median(share), unit: "%", aim: 5, better: "less" },
    ],
  };
}

/** Nobody always comes after the same one. */
const rotated = <T>(items: readonly T[], by: number): T[] => items.map((_, i) => items[(i + by) % items.length] as T);

async function minutesFor(contender: Contender): Promise<number> {
  let left = SESSIONS;
  const startedAt = performance.now();
  await Promise.all(
    Array.from({ length: CONCURRENCY }, async () => {
      while (left-- > 0) await contender.session();
    }),
  );
  return (performance.now() - startedAt) / 60_000;
}

/** Of a system with one session on the page, and of each session more. Spares are in the first, and not in the second. */
async function memoryOf(contender: Contender): Promise<{ firstMb: number; extraMb: number }> {
  const one = await holding(contender, 1);
  const more = await holding(contender, 1 + EXTRA);
  return { firstMb: one.allMb, extraMb: (more.allMb - more.sparesMb - (one.allMb - one.sparesMb)) / EXTRA };
}

async function holding(contender: Contender, sessions: number): Promise<{ allMb: number; sparesMb: number }> {
  await using held = new AsyncDisposableStack();
  const sized = contender.sized ? held.use(await contender.sized(sessions)) : contender;
  await sized.rest();
  for (let i = 0; i < sessions; i++) held.use(await sized.hold());
  await sized.rest();
  const { own, browsers } = sized.processes();
  const spares = (await sized.spares?.()) ?? [];
  return { allMb: pssMb([...own, ...browsers]), sparesMb: pssMb(spares) };
}
