/** `npm run dashboard`: the demo dashboard by itself, where the example playbooks look for it. */
import { DEMO_USER, openDashboard } from "../test/fixtures/dashboard/dashboard.ts";
import { readPort, takePort } from "./ports.ts";
import { nextSignal } from "./signals.ts";

try {
  const port = await takePort("127.0.0.1", readPort(process.env, "DASHBOARD_PORT", 4400), "DASHBOARD");
  await using dashboard = await openDashboard({ port });
  console.log(`Demo dashboard: ${dashboard.url} (user ${DEMO_USER.username}, password ${DEMO_USER.password})`);
  console.log(`For runs to reach it, start the node with POOL_PRIVATE_NETWORKS=127.0.0.1/32:${dashboard.port}`);
  await nextSignal();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
