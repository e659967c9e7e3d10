/** What Chromes take of the machine's memory, from Linux's /proc; elsewhere nothing is known. */
import { readFile } from "node:fs/promises";
import { pidsOfGroups } from "./process-identity.ts";

/**
 * Proportional set size of whole process groups, in bytes by group: memory that processes share is divided among them, so that a sum counts it once.
 * A process that ends meanwhile, and one of another user that this one may not look at, count nothing.
 */
export async function groupMemory(groups: ReadonlySet<number>): Promise<Map<number, number>> {
  const memory = new Map<number, number>();
  const members = pidsOfGroups(groups).map(async ({ pid, group }) => {
    const bytes = await pssBytes(pid);
    memory.set(group, (memory.get(group) ?? 0) + bytes);
  });
  await Promise.all(members);
  return memory;
}

async function pssBytes(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/smaps_rollup`, "latin1").catch(() => "");
  return Number(/^Pss:\s+(\d+) kB$/m.exec(text)?.[1] ?? 0) * 1024;
}
