/** What Chromes take of the machine, from Linux's /proc; elsewhere nothing is known. */
import { readFile } from "node:fs/promises";
import { cpuTicks, pidsOfGroups } from "./process-identity.ts";

/** `bytes`: proportional set size. `cpuS`: seconds of CPU time so far. */
export type GroupUsage = { bytes: number; cpuS: number };

/** Linux tells CPU time in hundredths of a second (USER_HZ), whatever its own clock is. */
const TICKS_PER_S = 100;

/**
 * Memory and CPU time of whole process groups: memory that processes share is divided among them, so that a sum counts it once. CPU time of those that
 * have ended counts where their parent in the group has waited for them. A process that ends meanwhile, and one of another user that this one may not look at,
 * count nothing. A group without a process is not in the answer.
 */
export async function groupUsage(groups: ReadonlySet<number>): Promise<Map<number, GroupUsage>> {
  const usage = new Map<number, GroupUsage>();
  const members = pidsOfGroups(groups).map(async ({ pid, group }) => {
    const bytes = await pssBytes(pid);
    const known = usage.get(group) ?? { bytes: 0, cpuS: 0 };
    usage.set(group, { bytes: known.bytes + bytes, cpuS: known.cpuS + cpuTicks(pid) / TICKS_PER_S });
  });
  await Promise.all(members);
  return usage;
}

async function pssBytes(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/smaps_rollup`, "latin1").catch(() => "");
  return Number(/^Pss:\s+(\d+) kB$/m.exec(text)?.[1] ?? 0) * 1024;
}
