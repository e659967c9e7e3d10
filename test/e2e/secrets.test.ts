/** Planted secrets, typed into a page that shows them in every way, with failures at every kind of step: what is left of them anywhere? */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { renderedTexts } from "../recording/rendered-text.ts";
import { FORMS } from "../secrets/forms.ts";
import { type Collector, openCollector } from "../support/collector.ts";
import { call, inTurn, type LlmServer, openLlmServer } from "../support/llm-server.ts";
import { postgresMissing, startPostgres, type TestPostgres } from "../support/postgres.ts";
import { openTestSystem, type TestSystem } from "../support/system.ts";
import { readZip } from "../support/zip.ts";
import { mirror } from "./mirror-page.ts";

const CREDENTIALS = {
  username: "canary.user+7f3@Example",
  password: `Zq8"k<&>'\\/ %ü€-canary`,
  token: "c4n4ryT0ken_9fGh2LmN",
  pin: "80417733",
};
/** Typed as plain text into a password field: learned in the run. */
const TYPED = "l3arned-Canary-Phrase";
const NEEDLES = [...Object.values(CREDENTIALS), TYPED].flatMap((secret) =>
  Object.entries(FORMS).map(([form, write]) => ({ form: `${form} of ${secret}`, bytes: Buffer.from(write(secret)) })),
);

let system: TestSystem;
let model: LlmServer;
let collector: Collector;
/** The run that ended last. */
let last: string;
let server: Server;
let site: string;
let postgres: TestPostgres | undefined;
let databaseUrl: string | undefined;
beforeAll(async () => {
  if (postgresMissing === null) {
    postgres = await startPostgres();
    databaseUrl = await postgres.createDatabase();
  }
  server = createServer(mirror);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
  site = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  model = await openLlmServer();
  const llm = { LLM_MODEL: "openai-compatible:scripted", LLM_BASE_URL: model.url, LLM_API_KEY: "sk-secrets" };
  const store: Record<string, string> = databaseUrl
    ? { DATABASE_URL: databaseUrl, SECRETS_KEY: "canary-key-0123456789abcdef0123456789" }
    : {}; // its rows can be read as text
  collector = await openCollector();
  const tracing = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url };
  const env = { POOL_PRIVATE_NETWORKS: "127.0.0.1/32", POOL_SLOTS: "3", ...store, ...llm, ...tracing };
  system = await openTestSystem({ env, edgeEnv: tracing });
});
afterAll(async () => {
  await system?.[Symbol.asyncDispose]();
  await postgres?.[Symbol.asyncDispose]();
  await model?.[Symbol.asyncDispose]();
  await collector?.[Symbol.asyncDispose]();
  server?.closeAllConnections();
  server?.close();
});

/** Which forms of which secrets stand in these bytes. */
const found = (where: string, bytes: Buffer): string[] =>
  NEEDLES.flatMap(({ form, bytes: needle }) => (bytes.includes(needle) ? [`${where}: ${form}`] : []));

async function foundBelow(folder: string): Promise<string[]> {
  const files = await readdir(folder, { recursive: true, withFileTypes: true });
  const hits: string[] = [];
  for (const file of files.filter((each) => each.isFile())) {
    const path = join(file.parentPath, file.name);
    const bytes = await readFile(path).catch(() => Buffer.alloc(0)); // removed meanwhile
    hits.push(...found(path, bytes));
    if (file.name.endsWith(".zip"))
      for (const [name, entry] of await readZip(bytes)) hits.push(...found(`${path}:${name}`, Buffer.from(entry)));
  }
  return hits;
}

/** Command lines and environments of every Chrome of the node. */
function chromeProcesses(): { about: string; bytes: Buffer }[] {
  return readdirSync("/proc").flatMap((pid) => {
    try {
      if (!/^\d+$/.test(pid) || !/chrom/i.test(readlinkSync(`/proc/${pid}/exe`))) return [];
      return ["cmdline", "environ"].map((name) => ({ about: `/proc/${pid}/${name}`, bytes: readFileSync(`/proc/${pid}/${name}`) }));
    } catch {
      return []; // gone, or another user's
    }
  });
}

const type = (selector: string, text: string, key?: string) => ({
  action: "key_press",
  selector,
  params: { text, ...(key ? { key } : {}) },
});
const guardrails = { allow_private_networks: true };
const bodyOf = (id: string, steps: object[]) => ({ playbook: { id, guardrails, steps }, credentials: CREDENTIALS });
const fill = () => [
  { action: "goto", params: { url: `${site}/` } },
  type("#user", "{credentials.username}"),
  type("#password", "{credentials.password}"),
  type("#area", "token {credentials.token} it is"),
  type("#edit", "{credentials.password}"),
  type("#search", "{credentials.pin}"),
  type("#second", TYPED),
];

/** Without the phrase that stands in the playbook itself, which is stored as it was posted. */
const credentialsOnly = () => fill().slice(0, -1);

async function run(body: object, { writer } = system.as) {
  const { run_id } = await writer.create(body);
  const processes = await writer.until(run_id, ({ event }) => event.type === "action").then(chromeProcesses);
  const { run, events } = await writer.finished(run_id);
  await writer.settled(run_id);
  last = run_id;
  return {
    run,
    hits: [...found("run", Buffer.from(JSON.stringify(run))), ...found("events", Buffer.from(JSON.stringify(events)))],
    processes,
  };
}

describe("planted secrets", () => {
  it("are typed, shown by the page in every way, and stand nowhere afterwards", async () => {
    const reads = ["text", "html", "markdown"].map((mode) => ({ action: "extract", selector: "main", params: { mode } }));
    const values = ["#user", "#password", "#area", "#second"].map((selector) => ({
      action: "extract",
      selector,
      params: { mode: "value" },
    }));
    const steps = [
      ...fill(),
      { action: "click", selector: "#echo" },
      { action: "wait_for", selector: "#done" },
      ...reads.map((step, i) => ({ ...step, store_as: `stored_${i}` })),
      ...values,
      { action: "evaluate", params: { expression: "({ all: secrets(), forms: forms(), pin: Number(secrets()[4]) })" } },
      { action: "select", selector: "#choice", params: { label: "{stored_0}" }, optional: true, on_failure: "abort" },
    ].map(({ optional: _, ...step }: Record<string, unknown>) => step);
    const { run: done, hits, processes } = await run(bodyOf("mirror", steps.slice(0, -1)));
    expect(done.error).toBeNull();
    expect(done.extracted_texts.join()).toContain("[secret:password]");
    expect(done.extracted_texts.join()).toContain("benign words stay");
    expect(hits).toEqual([]);
    const trace = (await readZip((await system.as.writer.trace(done.run_id)).bytes)).get("trace.trace")?.toString() ?? "";
    const split = trace.split("\n").filter((line) => line.includes('"type":"console"') && line.includes("it is"));
    expect(split.length).toBeGreaterThanOrEqual(5);
    for (const { 0: start } of [CREDENTIALS.username, CREDENTIALS.token, TYPED].map((secret) => [secret.slice(0, 5)] as const)) {
      expect(split.filter((line) => line.includes(start))).toEqual([]); // nor the part of it that is an argument of its own
    }
    const rendered = renderedTexts(trace);
    expect(rendered.some((text) => text.includes("benign words stay"))).toBe(true);
    expect(rendered.flatMap((text) => found("a snapshot as it is read", Buffer.from(text)))).toEqual([]);
    expect(processes.length).toBeGreaterThan(0);
    const own = [system.token, "pool-token", "SECRETS_KEY", "POOL_TOKEN", "LLM_API_KEY", "DATABASE_URL", "NODE_OPTIONS"].map((text) =>
      Buffer.from(text),
    );
    expect(processes.filter(({ bytes }) => own.some((text) => bytes.includes(text))).map(({ about }) => about)).toEqual([]);
    expect(processes.flatMap(({ about, bytes }) => found(about, bytes))).toEqual([]);
  });

  it("are known in the charset of an old page, misread, escaped, and in the part that a cut leaves", async () => {
    const steps = [
      { action: "goto", params: { url: `${site}/old` } },
      type("#q", "{credentials.old}"),
      { action: "click", selector: "#send" },
      { action: "wait_for", selector: "#out" },
      { action: "click", selector: "#cut" },
      { action: "extract", selector: "#out", params: { mode: "text" } },
      { action: "extract", selector: "body", params: { mode: "html" } },
    ];
    const old = "Grüße-€-canary77x";
    const body = { playbook: { id: "old", guardrails, steps }, credentials: { old } };
    const { run: done } = await run(body);
    expect(done.error).toBeNull();
    const { events } = await system.as.writer.finished(done.run_id);
    const entries = [...(await readZip((await system.as.writer.trace(done.run_id)).bytes))];
    const texts = [
      ["run", JSON.stringify(done)],
      ["events", JSON.stringify(events)],
      ...entries.map(([name, bytes]) => [name, Buffer.from(bytes).toString("latin1")]),
    ];
    const parts = /.{0,60}(?:canary7|Gr(?:%FC|%C3|%u|=FC|\ufffd|Ã|\xc3|\xef\xbf|ü|\xfc|&#|\\+[xu])|gr-e-canary).{0,30}/gi;
    expect(texts.flatMap(([name, text]) => [...(text as string).matchAll(parts)].map(([part]) => `${name}: ${part}`))).toEqual([]);
    expect(texts.map(([, text]) => text).join()).toContain("Found: #cut");
    expect(events.some(({ event }) => event.type === "guardrail" && event.host?.includes("[secret:old]"))).toBe(true);
  });

  it("are not what a page itself puts into a password field: a result says what the page says", async () => {
    const evaluate = (expression: string) => ({ action: "evaluate", params: { expression } });
    const { run: done } = await run({
      playbook: {
        id: "own-words",
        guardrails,
        steps: [
          { action: "goto", params: { url: `${site}/` } },
          evaluate("document.querySelector('main').insertAdjacentHTML('beforeend', '<input type=password value=administrator>')"),
          { action: "click", selector: "#user" },
          { ...evaluate("({ role: 'administrator' })"), store_as: "who" },
        ],
      },
    });
    expect(done.error).toBeNull();
    expect(done.extracted_texts.join()).toContain("administrator");
  });

  it("stand in nothing that a model is asked, whatever it looks at", async () => {
    const reads = [{}, { mode: "html" }, { mode: "markdown" }].map((mode) => ({
      action: "extract",
      params: { selector: "main", ...mode },
    }));
    const values = ["#user", "#password", "#area", "#second"].map((selector) => ({
      action: "extract",
      params: { selector, mode: "value" },
    }));
    model.script = inTurn(
      call("execute_sequence", { actions: [...reads, ...values] }),
      call("get_dom", { query: "canary user token benign it" }),
      call("get_dom"),
      call("screenshot"),
      call("done", { summary: "Seen", expect_element_visible: "#done" }),
    );
    const broken = {
      action: "evaluate",
      params: { expression: "(() => { throw new Error('it is ' + secrets().join() + forms().join()) })()" },
    };
    const steps = [
      ...fill(),
      { action: "click", selector: "#echo" },
      { action: "wait_for", selector: "#done" },
      { ...broken, verify: { expect_element_visible: "#done" } },
    ];
    const { run: done, hits } = await run(bodyOf("looks", steps));
    expect([done.error, hits]).toEqual([null, []]);
    expect(model.requests).toHaveLength(5);
    expect(model.bodies.flatMap((body, i) => found(`request ${i + 1}`, Buffer.from(body)))).toEqual([]);
    for (const sign of ["[secret:password]", "[secret:typed]", "benign words stay", "data:image/jpeg"])
      expect(model.bodies.join()).toContain(sign);
  });

  /** One step for each way in which errors come about. */
  const FAILING: Record<string, object> = {
    goto: { action: "goto", params: { url: "{stored_url}" } },
    "click on a covered one": { action: "click", selector: "#covered" },
    "key_press into a date": { action: "key_press", selector: "#date", params: { text: "{credentials.password}" } },
    wait_for: { action: "wait_for", selector: "xpath=//p[{stored}]" },
    select: { action: "select", selector: "#choice", params: { label: "{stored}?" } },
    evaluate: { action: "evaluate", params: { expression: "(() => { throw new Error('it is ' + secrets().join() + forms().join()) })()" } },
    "a verification": { action: "scroll", verify: { expect_text_on_page: "{stored} is not there", timeout_ms: 200 } },
  };

  it("stand in no error, whatever kind of step fails", async () => {
    const results = await Promise.all(
      Object.entries(FAILING).map(async ([name, failing]) => {
        const stored = [
          { action: "evaluate", params: { expression: "secrets()[1]" }, store_as: "stored" },
          { action: "evaluate", params: { expression: "'javascript:' + secrets()[1]" }, store_as: "stored_url" },
        ];
        const steps = [...fill().slice(0, 3), ...stored, { timeout_ms: 200, on_failure: "abort", ...failing }];
        const { run: failed, hits } = await run(bodyOf("fails", steps));
        return { name, status: failed.status, at: failed.step_results.length, hits };
      }),
    );
    expect(results).toEqual(Object.keys(FAILING).map((name) => ({ name, status: "failed", at: 6, hits: [] })));
  });

  it("are typed only on the origins to which they are bound", async () => {
    const body = { ...bodyOf("bound", fill().slice(0, 3)), credential_origins: { password: ["https://shop.example"], username: [site] } };
    const { run: refused, hits } = await run(body);
    expect(refused.error).toMatchObject({
      code: "GUARDRAIL_BLOCKED",
      details: { rule: "credential_origin", credential: "password", origin: site },
    });
    expect(refused.error?.message).toContain("credential_origins");
    expect(refused.actions.map(({ action, success }) => [action, success])).toEqual([
      ["goto", true],
      ["key_press", true],
      ["key_press", false],
    ]);
    expect(hits).toEqual([]);
    const { events } = await system.as.writer.finished(refused.run_id);
    expect(events.map(({ event }) => event)).toContainEqual(
      expect.objectContaining({ type: "guardrail", rule: "credential_origin", kind: "block", host: "127.0.0.1" }),
    );
    const metrics = await (await fetch(`${system.node.url}/metrics`, { headers: { Authorization: `Bearer ${system.token}` } })).text();
    expect(metrics).toMatch(/understudy_guardrail_verdicts_total\{.*rule="credential_origin".*\} 1/);
    const dry = await system.as.writer.json<{ valid: boolean; checks: { name: string; message: string }[]; warnings: string[] }>(
      "/runs?dry_run=true",
      { method: "POST", body: JSON.stringify(body) },
    );
    expect(dry.checks).toContainEqual({
      name: "credential_origins",
      passed: true,
      message: `Typed only: password on https://shop.example; username on ${site}`,
    });
    expect(dry.warnings).toContain('Credential "pin" may be typed on any page: credential_origins does not name it');
    const wrong = await system.as.writer.call("/runs", {
      method: "POST",
      body: JSON.stringify({ ...body, credential_origins: { nobody: [site] } }),
    });
    expect([wrong.status, await wrong.text()]).toEqual([422, expect.stringContaining('No credential \\"nobody\\" was given')]);
    const half = await system.as.writer.call("/runs", {
      method: "POST",
      body: JSON.stringify(body).replace(/}$/, "").replace('"pin":"', '"pin":'),
    });
    expect([half.status, found("answer", Buffer.from(await half.text()))]).toEqual([422, []]);
  });

  it("stand in no trace that is sent away", async () => {
    const spans = await collector.until((sent) => sent.some(({ name, fields }) => name === "run" && fields["understudy.run_id"] === last));
    expect(collector.bodies.flatMap((body, i) => found(`spans ${i + 1}`, Buffer.from(body)))).toEqual([]);
    for (const name of ["run", "step click", "action key_press", "chat scripted", "POST /runs"])
      expect(spans.map((span) => span.name)).toContain(name);
    expect(new Set(spans.map(({ error }) => error))).toEqual(new Set([null, "STEP_FAILED", "GUARDRAIL_BLOCKED"]));
  });

  it("stand in no file, and in no line of a log", async () => {
    expect(await foundBelow(system.dataDir)).toEqual([]);
    expect(found("node", Buffer.from(system.node.output()))).toEqual([]);
    expect(found("edge", Buffer.from(system.edge.output()))).toEqual([]);
    expect(system.node.output().length).toBeGreaterThan(1_000);
  });

  it.skipIf(postgresMissing !== null)("stand in no row of the store, while they are in use and afterwards", async () => {
    const { writer } = system.as;
    expect(await foundInTables(databaseUrl as string)).toEqual([]);
    const waiting = await writer.create(
      bodyOf("waits", [...credentialsOnly(), { action: "wait_for", selector: "#never", timeout_ms: 60_000 }]),
    );
    await writer.until(waiting.run_id, ({ event }) => event.type === "action" && event.seq === 6);
    expect(await foundBelow(system.dataDir)).toEqual([]);
    expect(await foundInTables(databaseUrl as string)).toEqual([]);
    await writer.stop(waiting.run_id);
    await writer.settled(waiting.run_id);
    expect(await foundInTables(databaseUrl as string)).toEqual([]);
  });
});

/** Every row of every table, as text; bytes are hex there. The phrase of the playbooks stands where they are kept as they were posted. */
async function foundInTables(url: string): Promise<string[]> {
  const client = new Client(url);
  await client.connect();
  try {
    const tables = await client.query<{ name: string }>(
      "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')",
    );
    const hits: string[] = [];
    let rows = 0;
    for (const { name } of tables.rows) {
      const texts = await client.query<{ text: string }>(`SELECT t::text AS text FROM ${name} t`);
      rows += texts.rows.length;
      hits.push(...found(name, Buffer.from(texts.rows.map(({ text }) => text).join("\n"))));
    }
    expect(rows).toBeGreaterThan(10);
    return hits.filter((hit) => !hit.endsWith(` of ${TYPED}`));
  } finally {
    await client.end();
  }
}
