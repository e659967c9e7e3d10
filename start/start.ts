/** `npm start`: an edge and a node, kept up together until a signal comes or one of them ends. */
import { relative } from "node:path";
import { EXIT_CONFIG, startFailureCode } from "../shared/start-failure.ts";
import { markShown } from "./keys.ts";
import { describeExit, EndedEarly, exitCode } from "./program.ts";
import { nextSignal } from "./signals.ts";
import { openSystem, type System } from "./system.ts";

process.exitCode = await main().catch((error: unknown) => {
  console.error(`Cannot start. ${error instanceof Error ? error.message : error}`);
  return error instanceof EndedEarly && error.exit.code === EXIT_CONFIG ? EXIT_CONFIG : startFailureCode(error);
});

async function main(): Promise<number> {
  const [stop, atOnce] = [new AbortController(), new AbortController()];
  const asked = nextSignal().then((signal) => {
    stop.abort(new Error(`${signal} came before it was ready`));
    nextSignal().then(() => atOnce.abort()); // and so that an echo of the first does not end us
    return null;
  });
  const system = await openSystem({ environment: process.env, output: "inherit", signal: stop.signal, atOnce: atOnce.signal });
  console.log(greeting(system));
  if (system.ownKey && !system.keys.shown) await markShown(system.keys);
  const broken = await Promise.race([asked, system.broken]);
  if (broken) {
    console.error(`${broken.name} has ended by itself (${describeExit(broken.exit)}); ending the other.`);
    asked.then(() => atOnce.abort());
  } else console.log("Ending; runs under way get their grace time. A second signal ends at once.");
  const code = await system.end();
  return broken ? exitCode(broken.exit) || 1 : code;
}

function greeting({ url, nodeUrl, dataDir, keys, ownKey }: System): string {
  const here = relative("", keys.apiKeyFile);
  const file = here.startsWith("..") ? keys.apiKeyFile : here;
  const quoted = /^[\w./-]+$/.test(file) ? file : `'${file.replaceAll("'", "'\\''")}'`;
  const playbook = '{"id":"title","start_url":"https://example.com","steps":[{"action":"extract","selector":"h1"}]}';
  return [
    "",
    `Understudy is ready: ${url} (reference: ${url}/docs)`,
    `  node ${nodeUrl}, data in ${dataDir}`,
    ...(ownKey && !keys.shown ? [`  API key, shown this once and kept in ${file}: ${keys.apiKey}`] : []),
    "",
    "Try it:",
    ownKey ? `  KEY=$(cat ${quoted})` : "  KEY=<a key of EDGE_API_KEYS with the scope runs>",
    `  curl -X POST ${url}/runs -H "Authorization: Bearer $KEY" -H "Content-Type: application/json" \\`,
    `    -d '{"playbook":${playbook}}'`,
    `  curl -N -H "Authorization: Bearer $KEY" ${url}/runs/<run_id>/stream`,
    `  curl -so /dev/null -w '%{redirect_url}\\n' -H "Authorization: Bearer $KEY" ${url}/runs/<run_id>/recording/viewer`,
    "The last one prints a link that opens the run's trace in a browser, while it runs and after.",
    "",
  ].join("\n");
}
