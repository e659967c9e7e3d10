/** Who this node is: `node_id` is kept in DATA_DIR, `boot_id` is fresh at each start. */
import { join } from "node:path";
import { AppError } from "../../shared/errors.ts";
import { readKept, writeKept } from "../../start/kept-file.ts";

const FILE = "node_id";
const NODE_ID = /^[a-z0-9][a-z0-9_-]{0,62}$/;

/** Called by the one process that holds DATA_DIR. */
export async function openIdentity(dataDir: string): Promise<{ node_id: string; boot_id: string }> {
  const path = join(dataDir, FILE);
  const boot_id = crypto.randomUUID();
  const kept = await readKept(path);
  if (kept !== null) {
    if (NODE_ID.test(kept)) return { node_id: kept, boot_id };
    throw new AppError("VALIDATION_FAILED", `"${path}" does not hold a node id: expected lower-case letters, digits, - and _`);
  }
  const node_id = `node-${crypto.randomUUID().slice(0, 8)}`;
  await writeKept(path, node_id, 0o644);
  return { node_id, boot_id };
}
