/** The folder of one run. */
import { randomUUID } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { isRunId } from "../../shared/ids.ts";
import { safeName } from "./names.ts";

/** The name of an attempt's folder: an earlier one may still be left of where the next begins. */
export const attemptFolder = ({ run_id, attempt }: { run_id: string; attempt: number }): string =>
  attempt === 1 ? run_id : `${run_id}_${attempt}`;

export function parseAttemptFolder(name: string): { run_id: string; attempt: number } | null {
  const [run_id = "", nth] = name.split("_");
  const attempt = nth === undefined ? 1 : Number(nth);
  return isRunId(run_id) && Number.isSafeInteger(attempt) && attemptFolder({ run_id, attempt }) === name ? { run_id, attempt } : null;
}

/** Makes `<root>/<run id>`, readable for its owner only; the id reduced to a name, a fresh one where none is given: two runs never share a folder. */
export async function openRunFolder(root: string, runId: string = randomUUID()): Promise<string> {
  const dir = join(root, safeName(runId));
  await mkdir(dir, { recursive: true, mode: 0o700 });
  return dir;
}
