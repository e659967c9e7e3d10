/** `npm run pool`: one node. SIGTERM and SIGINT drain it; a second one ends it without waiting. */
import { AppError } from "../shared/errors.ts";
import { signalToEnd } from "../shared/signals.ts";
import { onlyChecks, startFailureCode } from "../shared/start-failure.ts";
import { readConfig } from "./config.ts";
import { openNode } from "./node.ts";
import { openNodeLog } from "./node-log.ts";

/** A node that is closed has nothing left to do. */
const CLOSED_MS = 2_000;

try {
  const checksOnly = onlyChecks(process.argv.slice(2));
  const config = readConfig(process.env);
  if (checksOnly) process.exit(0);
  const nodeLog = openNodeLog(config);
  const { log } = nodeLog;
  const ending = signalToEnd(process, (signal) => {
    log.warn("Ending without waiting: what is in hand is lost", { signal });
    process.exit(1); // its Chromes go with it; what it leaves, its next start finds
  });
  {
    await using node = await openNode(config, nodeLog);
    const signal = await ending;
    log.info("Draining", { signal, grace_ms: config.drainGraceMs });
    await node.drain(config.drainGraceMs);
  }
  setTimeout(() => {
    log.warn("The node is closed, and something still held its process", { held: process.getActiveResourcesInfo() });
    process.exit();
  }, CLOSED_MS).unref();
} catch (error) {
  if (!(error instanceof AppError)) throw error;
  const issues = (error.details?.issues ?? []) as { path: string; message: string }[];
  const lines = issues.map(({ path, message }) => `  ${path}: ${message}`);
  process.stderr.write(`${[lines.length > 0 ? "The node cannot start:" : error.message, ...lines].join("\n")}\n`);
  process.exitCode = startFailureCode(error);
}
