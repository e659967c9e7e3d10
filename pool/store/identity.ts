/** Who this node is: `node_id` is kept in DATA_DIR, `boot_id` is fresh at each start. */
import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { AppError } from "../../shared/errors.ts";

const FILE = "node_id";
const NODE_ID = /^[a-z0-9][a-z0-9_-]{0,62}$/;

/** Called by the one process that holds DATA_DIR. */
export async function openIdentity(dataDir: string): Promise<{ node_id: string; boot_id: string }> {
  const path = join(dataDir, FILE);
  const boot_id = crypto.randomUUID();
  try {
    const node_id = (await readFile(path, "utf8")).trim();
    if (NODE_ID.test(node_id)) return { node_id, boot_id };
    throw new AppError("VALIDATION_FAILED", `"${path}" does not hold a node id: expected lower-case letters, digits, - and _`);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
  }
  const node_id = `node-${crypto.randomUUID().slice(0, 8)}`;
  await writeFile(`${path}.part`, `${node_id}\n`);
  await rename(`${path}.part`, path);
  return { node_id, boot_id };
}
