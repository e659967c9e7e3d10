/** A process's whole program: makes the files of a new embedded store. Its memory, over 300 MB, goes with it; of a thread's the node would keep 80 MB. */
import { PGlite } from "@electric-sql/pglite";

const [, , dir] = process.argv;
process.once("disconnect", () => process.exit(1)); // whoever started it is gone
const database = await PGlite.create({ dataDir: dir });
await database.close();
process.exit(0);
