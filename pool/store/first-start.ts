/** A worker's whole program: makes the files of a new embedded store. Its memory, over 300 MB, goes with the worker; the node would keep it. */
import { workerData } from "node:worker_threads";
import { PGlite } from "@electric-sql/pglite";

const database = await PGlite.create({ dataDir: workerData });
await database.close();
