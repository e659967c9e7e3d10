/** How busy the machine is. */
import { availableParallelism, cpus, loadavg } from "node:os";

/** Load average of the last minute per CPU. */
export const loadPerCpu = (): number => (loadavg()[0] ?? 0) / availableParallelism();

/** Share of CPU time that is idle above which the machine has room, whatever its load average says. */
const ROOMY = 0.5;
/** Milliseconds of CPU time, of all CPUs together, that a look must cover to say anything. */
const SPAN_MS = 500;

/** The same, and nothing while the CPUs idle: a load average remembers for minutes a burst that is over. Each call looks back to the one before. */
export function createPresentLoad(): () => number {
  let before = cpuTimes();
  let latest = loadPerCpu();
  return () => {
    const now = cpuTimes();
    const span = now.all - before.all;
    if (span < SPAN_MS) return latest;
    latest = (now.idle - before.idle) / span > ROOMY ? 0 : loadPerCpu();
    before = now;
    return latest;
  };
}

function cpuTimes(): { all: number; idle: number } {
  const times = cpus().map((cpu) => cpu.times);
  const all = times.reduce((sum, { user, nice, sys, idle, irq }) => sum + user + nice + sys + idle + irq, 0);
  return { all, idle: times.reduce((sum, { idle }) => sum + idle, 0) };
}
