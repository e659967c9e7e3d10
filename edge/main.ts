/** Starts the edge, as many threads as it is told to, and ends it in peace. */
import process from "node:process";
import { signalToEnd } from "../shared/signals.ts";
import { onlyChecks, startFailureCode } from "../shared/start-failure.ts";
import { createLog } from "./log.ts";
import { DRAIN_MS, readSettings, type Started, startHere } from "./main-start.ts";

try {
  if (onlyChecks(process.argv.slice(2))) {
    readSettings();
    process.exit(0);
  }
  const starting = start();
  const asked = signalToEnd(process, () => process.exit(1)); // a second one ends it at once
  const { edge, threads } = await starting;
  await asked;
  await Promise.all([edge.drain(DRAIN_MS), threads?.stopOthers(DRAIN_MS + 1_000)]);
  await edge[Symbol.asyncDispose]();
  process.exit(0);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exit(startFailureCode(error));
}

async function start(): Promise<Started> {
  const started = await startHere("first");
  const { config, edge, threads, runtime } = started;
  await threads?.startOthers(edge.port);
  createLog(config.logLevel).info("The edge listens", { url: edge.url, runtime, threads: config.threads });
  return started;
}
