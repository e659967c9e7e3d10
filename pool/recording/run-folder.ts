/** The folder of one run. */
import { randomUUID } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { safeName } from "./names.ts";

/** Makes `<root>/<run id>`, readable for its owner only; the id reduced to a name, a fresh one where none is given: two runs never share a folder. */
export async function openRunFolder(root: string, runId: string = randomUUID()): Promise<string> {
  const dir = join(root, safeName(runId));
  await mkdir(dir, { recursive: true, mode: 0o700 });
  return dir;
}
