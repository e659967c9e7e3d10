/** A process that commits a folder to a volume: `node commit-process.ts <root> <runId> <staged> <file>…`. Says when it begins. */
import { openDirectoryVolume } from "../../pool/volume/directory.ts";

const [root = "", runId = "", staged = "", ...names] = process.argv.slice(2);
const volume = await openDirectoryVolume(root);
process.stdout.write("begins\n");
await volume.commit(
  runId,
  staged,
  names.map((name) => ({ name, kind: "file" as const })),
);
