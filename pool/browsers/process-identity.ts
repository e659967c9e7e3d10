/**
 * Who a process is, from Linux's /proc (proc(5)): a pid alone is reused, a pid with its start time is not.
 * Elsewhere nothing is known of other processes, and nobody is killed on a guess.
 */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/** One process, as long as the machine runs: pid, and its start in clock ticks after boot. `name` is what it executes, cut to 15 bytes. */
export type ProcessIdentity = { pid: number; startTicks: number; name: string };

type ProcessStat = { name: string; state: string; group: number; startTicks: number; cpuTicks: number };

/** null: no such process, or no /proc. */
function readStat(pid: number | string): ProcessStat | null {
  let line: string;
  try {
    line = readFileSync(`/proc/${pid}/stat`, "latin1");
  } catch {
    return null; // gone
  }
  const nameEnd = line.lastIndexOf(")"); // a name may hold blanks and brackets
  const fields = line.slice(nameEnd + 2).split(" ");
  return {
    name: line.slice(line.indexOf("(") + 1, nameEnd),
    state: fields[0] ?? "",
    group: Number(fields[2]),
    startTicks: Number(fields[19]),
    cpuTicks: [11, 12, 13, 14].reduce((sum, i) => sum + Number(fields[i]), 0), // its own, and of children it has waited for
  };
}

/** CPU time of a process and of its children that are over; 0: it is gone. */
export const cpuTicks = (pid: number): number => readStat(pid)?.cpuTicks ?? 0;

export function identify(pid: number): ProcessIdentity {
  const stat = readStat(pid);
  return { pid, startTicks: stat?.startTicks ?? 0, name: stat?.name ?? "" };
}

/** Does that very process still run? A zombie does not. */
export function isAlive({ pid, startTicks }: ProcessIdentity): boolean {
  const stat = readStat(pid);
  return stat !== null && stat.startTicks === startTicks && runs(stat);
}

const runs = ({ state }: ProcessStat): boolean => state !== "Z" && state !== "X";

/** Living members of a process group. */
export function groupMembers(group: number): ProcessIdentity[] {
  return listPids().flatMap((pid) => {
    const stat = readStat(pid);
    return stat !== null && stat.group === group && runs(stat) ? [{ pid: Number(pid), startTicks: stat.startTicks, name: stat.name }] : [];
  });
}

/** Living members of these process groups, in one look at all processes. */
export function pidsOfGroups(groups: ReadonlySet<number>): { pid: number; group: number }[] {
  if (groups.size === 0) return [];
  return listPids().flatMap((pid) => {
    const stat = readStat(pid);
    return stat !== null && groups.has(stat.group) && runs(stat) ? [{ pid: Number(pid), group: stat.group }] : [];
  });
}

/** The one of a group whose command line holds the text; null: none, or it may not be looked at. */
export function memberWith(group: number, text: string): ProcessIdentity | null {
  return groupMembers(group).find(({ pid }) => commandLine(pid).includes(text)) ?? null;
}

function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "latin1");
  } catch {
    return ""; // gone
  }
}

/** Names the boot and the pid namespace in which our pids and ticks mean something. */
export function machineIdentity(): string {
  try {
    return `${readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim()} ${readlinkSync("/proc/self/ns/pid")}`;
  } catch {
    return "";
  }
}

function listPids(): string[] {
  try {
    return readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  } catch {
    return [];
  }
}

/** SIGKILLs a whole group; false: there is none. */
export const killGroup = (group: number): boolean => signalGroup(group, "SIGKILL");

/** Is anything of it left, even the dead that nobody has buried yet? */
export const groupExists = (group: number): boolean => signalGroup(group, 0);

function signalGroup(group: number, signal: "SIGKILL" | 0): boolean {
  try {
    process.kill(-group, signal);
    return true;
  } catch {
    return false; // ESRCH: all of it is gone
  }
}
