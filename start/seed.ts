import { cp, stat } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { makeFolder } from "./make-folder.ts";

const EXAMPLES = fileURLToPath(new URL("../examples", import.meta.url));

/** Gives a DATA_DIR without playbooks those of examples/. One that has the folder, even an empty one, keeps what it has. */
export async function seedPlaybooks(dataDir: string): Promise<void> {
  const folder = join(dataDir, "playbooks");
  const there = await stat(folder).catch(() => null); // not there yet
  if (there !== null) return;
  makeFolder(dataDir, "DATA_DIR");
  await cp(EXAMPLES, folder, { recursive: true, filter: (path) => path === EXAMPLES || /\.ya?ml$/.test(path) });
}
