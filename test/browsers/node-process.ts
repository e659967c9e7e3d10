/** A node as a process of its own, to be killed: opens browsers on the folder it is given (or the remote one), leases one, says what runs, and stays. */
import { openBrowsers } from "../../pool/browsers/browsers.ts";
import { createLog } from "../../pool/telemetry/log.ts";
import { openTestEgress, VIEWPORT } from "./support.ts";

const [dataDir = "", endpoint] = process.argv.slice(2);
const browsers = await openBrowsers({
  nodeId: "node-killed",
  dataDir,
  slots: 1,
  warm: 1,
  chromePath: null,
  sandbox: "auto",
  profileMib: 1024,
  endpoints: endpoint === undefined ? [] : [endpoint],
  egressAdvertise: endpoint === undefined ? null : "127.0.0.1",
  openEgress: openTestEgress,
  log: createLog("silent"),
  loadPerCpu: () => 0,
});
const lease = await browsers.lease("run", { signal: AbortSignal.timeout(20_000), viewport: VIEWPORT });
lease.page.evaluate("while (true) {}").catch(() => {}); // it never ends by itself
process.stdout.write(`${JSON.stringify(browsers.list())}\n`);
setInterval(() => {}, 60_000);
