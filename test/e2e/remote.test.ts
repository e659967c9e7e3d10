/** A node that launches no Chrome and drives one that somebody else keeps: guardrails on the network hold there too. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { CHROME_PATH } from "../support/chrome.ts";
import { readOrders } from "../support/playbooks.ts";
import { openTestSystem } from "../support/system.ts";

type Browsers = { browsers: { kind: string; run_id: string | null }[] };

/** As an operator would keep one: with a DevTools port. */
async function openRemoteChrome(): Promise<AsyncDisposable & { endpoint: string }> {
  const folder = await mkdtemp(join(tmpdir(), "us-remote-"));
  const flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"];
  const args = [...flags, "--remote-debugging-port=0", `--user-data-dir=${folder}`, "about:blank"];
  const chrome = spawn(CHROME_PATH, args, { stdio: ["ignore", "ignore", "pipe"] });
  const endpoint = await new Promise<string>((resolve, reject) => {
    let said = "";
    chrome.on("exit", () => reject(new Error(`Chrome ended: ${said}`)));
    chrome.stderr.setEncoding("utf8").on("data", (text: string) => {
      said += text;
      const [found] = /ws:\/\/\S+/.exec(said) ?? [];
      if (found) resolve(found);
    });
  });
  return {
    endpoint,
    async [Symbol.asyncDispose]() {
      const ended = once(chrome, "exit");
      chrome.kill();
      await ended;
      await rm(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

it("runs in a context of its own in a remote Chrome, behind the node's egress, and leaves nothing there", async () => {
  await using chrome = await openRemoteChrome();
  await using system = await openTestSystem({ env: { CHROME_WS_ENDPOINTS: chrome.endpoint, POOL_EGRESS_ADVERTISE: "127.0.0.1" } });
  const { writer, admin } = system.as;
  const { nodes } = await admin.json<{ nodes: { tier: string }[] }>("/pool/nodes");
  expect(nodes).toMatchObject([{ tier: "remote" }]);
  const { run } = await writer.finished((await writer.create(readOrders(system.dashboard.url))).run_id);
  expect([run.status, run.result]).toEqual(["completed", "Orders"]);

  const itsOwnPort = new URL(chrome.endpoint).port;
  const guardrails = { allow_private_networks: true };
  const steps = [{ action: "goto", params: { url: `http://127.0.0.1:${itsOwnPort}/json` } }];
  const refused = await writer.finished((await writer.create({ playbook: { id: "devtools", guardrails, steps } })).run_id);
  expect(refused.run.error).toMatchObject({ code: "GUARDRAIL_BLOCKED", details: { rule: "private_network" } });
  await writer.settled(refused.run.run_id);
  expect((await admin.json<Browsers>("/pool/browsers")).browsers.every(({ run_id }) => run_id === null)).toBe(true);
});
