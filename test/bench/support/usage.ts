/** What whole families of processes take of the machine: memory that they share counted once, CPU time also of those that come and go. Linux. */
import { readdirSync, readFileSync } from "node:fs";

/** `identity`: pid and start, since a pid alone is given anew. `ticks`: CPU time. */
type Process = { pid: number; parent: number; identity: string; ticks: number };

/** Of CPU time, whatever the kernel's own clock (USER_HZ). */
const MS_PER_TICK = 10;
const LOOK_MS = 100;

function allProcesses(): Process[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      const line = textOf(`/proc/${pid}/stat`);
      const fields = line.slice(line.lastIndexOf(")") + 2).split(" "); // a name may hold blanks and brackets
      if (fields.length < 20) return []; // gone
      const [parent, user, system, start] = [1, 11, 12, 19].map((i) => Number(fields[i])) as [number, number, number, number];
      return [{ pid: Number(pid), parent, identity: `${pid} ${start}`, ticks: user + system }];
    });
}

/** These processes and all that descend from them. Their children are found by who their parent is: what `children` of /proc tells is of one thread only. */
export function family(roots: readonly number[]): Process[] {
  const all = allProcesses();
  const members = new Set(roots);
  for (let size = -1; size !== members.size; ) {
    size = members.size;
    for (const { pid, parent } of all) if (members.has(parent)) members.add(pid);
  }
  return all.filter(({ pid }) => members.has(pid));
}

/** Proportional set size of these and all that descend from them, in MB. */
export function pssMb(roots: readonly number[]): number {
  const kb = family(roots).map(({ pid }) => Number(/^Pss:\s+(\d+) kB$/m.exec(textOf(`/proc/${pid}/smaps_rollup`))?.[1] ?? 0));
  return kb.reduce((sum, each) => sum + each, 0) / 1024;
}

export type CpuUse = { ownMs: number; browsersMs: number };

/**
 * CPU time from now on: of the processes themselves, and of all that descend from them or from `browsers`. Looks every 100 ms, and what a
 * process used after it was last seen is missing: so of the Chromes a little, and of what lives throughout nothing.
 */
export function watchCpu(roots: () => { own: number[]; browsers: number[] }): { stop(): CpuUse } {
  const before = new Map(allProcesses().map(({ identity, ticks }) => [identity, ticks]));
  const used = { own: new Map<string, number>(), browsers: new Map<string, number>() };
  const look = () => {
    const { own, browsers } = roots();
    for (const { pid, identity, ticks } of family([...own, ...browsers]))
      used[own.includes(pid) ? "own" : "browsers"].set(identity, ticks - (before.get(identity) ?? 0));
  };
  const timer = setInterval(look, LOOK_MS);
  const sum = (values: Map<string, number>) => [...values.values()].reduce((total, each) => total + each, 0) * MS_PER_TICK;
  return {
    stop() {
      clearInterval(timer);
      look();
      return { ownMs: sum(used.own), browsersMs: sum(used.browsers) };
    },
  };
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return ""; // gone, or not ours to look at
  }
}
