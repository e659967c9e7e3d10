/** One more thread of an edge: `main-threads.ts`. */
import { DRAIN_MS, startHere } from "./main-start.ts";

const { edge, threads } = await startHere("joining");
await threads?.untilStopped();
await edge.drain(DRAIN_MS);
await edge[Symbol.asyncDispose]();
threads?.sayStopped();
