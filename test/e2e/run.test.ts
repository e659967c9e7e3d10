/** A run, end to end, as a client sees it: posted to the edge, run in real Chrome on a node, followed, downloaded. */
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { NumberedEvent } from "../../shared/event.ts";
import { type Run, type RunCreated, RunSchema } from "../../shared/run.ts";
import { type Collector, openCollector, type SentSpan } from "../support/collector.ts";
import { CREDENTIALS, openLogin, readOrders, waitForever } from "../support/playbooks.ts";
import { openTestSystem, type TestSystem } from "../support/system.ts";
import { readZip } from "../support/zip.ts";

let system: TestSystem;
let collector: Collector;
/** A run that is over and stored, of which most tests look at another side. */
let done: { run_id: string; run: Run; events: NumberedEvent[]; live: Uint8Array };
const ONCE = { "Idempotency-Key": "once-only" };
const postedOnce = () => ({ ...readOrders(system.dashboard.url), thinking: "low" });
beforeAll(async () => {
  collector = await openCollector();
  const tracing = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url };
  system = await openTestSystem({ env: tracing, edgeEnv: tracing });
  const { writer } = system.as;
  const created = await Promise.all([1, 2, 3].map(() => writer.create(postedOnce(), ONCE)));
  expect(new Set(created.map(({ run_id }) => run_id)).size).toBe(1);
  const { run_id, status } = created[0] as RunCreated;
  expect(created[0]).toEqual({ run_id, status, status_url: `/runs/${run_id}`, stream_url: `/runs/${run_id}/stream` });
  const finished = await writer.finished(run_id);
  done = { run_id, ...finished, live: (await writer.trace(run_id)).bytes };
  await writer.settled(run_id);
});
afterAll(async () => {
  await system?.[Symbol.asyncDispose]();
  await collector?.[Symbol.asyncDispose]();
});
afterEach(({ task }) => {
  if (task.result?.state === "fail") process.stderr.write(system.node.output().slice(-6000));
});

const login = () => openLogin(system.dashboard.url);
/** A run as it is shown at this moment: its status, and that of its recording. */
const shown = async (runId: string): Promise<string> => {
  const { status, recording } = await system.as.writer.read(runId);
  return `${status}, ${recording.state}`;
};

describe("a run", () => {
  it("signs in, reads the page, and ends as completed with everything in its record", () => {
    const { run, events } = done;
    expect(run.error).toBeNull();
    expect(RunSchema.parse(run)).toMatchObject({
      status: "completed",
      attempt: 1,
      result: "Orders",
      extracted_texts: ["Orders"],
      playbook_id: "read-orders",
      warnings: [{ phase: "request", error: { message: "No model is configured: thinking has no effect" } }],
    });
    expect(run.step_results.map(({ index, success }) => [index, success])).toEqual([0, 1, 2, 3, 4].map((index) => [index, true]));
    expect(run.actions.map(({ seq, action }) => [seq, action])).toEqual([
      [1, "goto"],
      [2, "key_press"],
      [3, "key_press"],
      [4, "wait_for"],
      [5, "extract"],
    ]);
    expect(events.map(({ id }) => id)).toEqual(events.map((_, i) => i + 1));
    expect(events.at(0)?.event).toMatchObject({ type: "status", status: "queued", previous: null });
    expect(events.at(-1)?.event).toMatchObject({ type: "complete", status: "completed" });
    expect(events.filter(({ event }) => event.type === "complete")).toHaveLength(1);
  });

  it("leaves a trace and a screenshot of each action, live at once and then stored, the same to the byte", async () => {
    const { writer } = system.as;
    const { run_id, live } = done;
    const stored = await writer.trace(run_id);
    expect(stored.source).toBe("stored");
    expect(Buffer.compare(live, stored.bytes)).toBe(0);
    const entries = await readZip(stored.bytes);
    expect([...entries.keys()]).toContain("trace.trace");
    const manifest = await writer.json<{ state: string; artifacts: { name: string; kind: string; bytes: number; sha256: string }[] }>(
      `/runs/${run_id}/recording/manifest`,
    );
    expect(manifest.state).toBe("ready");
    for (const name of [
      "status.json",
      "events.jsonl",
      "action_log.json",
      "trace.zip",
      "screenshots/0001_goto.jpg",
      "actions/0001_playbook_goto.json",
    ]) {
      expect(manifest.artifacts.map((each) => each.name)).toContain(name);
    }
    const picture = await writer.call(`/runs/${run_id}/recording/screenshots/0001_goto.jpg`);
    expect(picture.headers.get("content-type")).toBe("image/jpeg");
    expect(new Uint8Array(await picture.arrayBuffer()).slice(0, 3)).toEqual(new Uint8Array([0xff, 0xd8, 0xff]));
    const file = await writer.call(`/runs/${run_id}/recording/files/actions/0001_playbook_goto.json`);
    expect(await file.json()).toMatchObject({ seq: 1, action: "goto", success: true });
  });

  it("keeps a stored trace readable by range, by condition, and by HEAD", async () => {
    const { writer } = system.as;
    const path = `/runs/${done.run_id}/recording/trace`;
    const whole = await writer.call(path);
    const bytes = Buffer.from(await whole.arrayBuffer());
    const etag = whole.headers.get("etag") ?? "";
    expect(etag).toMatch(/^"[0-9a-f]{64}"$/);
    expect(whole.headers.get("content-length")).toBe(String(bytes.length));
    const part = await writer.call(path, { headers: { Range: "bytes=10-19" } });
    expect(part.status).toBe(206);
    expect(part.headers.get("content-range")).toBe(`bytes 10-19/${bytes.length}`);
    expect(Buffer.from(await part.arrayBuffer())).toEqual(bytes.subarray(10, 20));
    expect((await writer.call(path, { headers: { Range: "bytes=10-19", "If-Range": '"other"' } })).status).toBe(200);
    expect((await writer.call(path, { headers: { Range: `bytes=${bytes.length}-` } })).status).toBe(416);
    expect((await writer.call(path, { headers: { "If-None-Match": etag } })).status).toBe(304);
    const head = await writer.call(path, { method: "HEAD" });
    expect([head.status, head.headers.get("content-length"), head.headers.get("etag")]).toEqual([200, String(bytes.length), etag]);
  });

  it("is traced from the request that posted it to each action, under its own id, and without what it saw", async () => {
    const { run_id } = done;
    const isPost = ({ service, name }: SentSpan) => service === "understudy-edge" && name === "POST /runs";
    const spans = await collector.until(
      (sent) =>
        sent.some(({ name, fields }) => name === "run" && fields["understudy.run_id"] === run_id) && sent.filter(isPost).length >= 3,
    );
    const below = ({ spanId }: SentSpan) => spans.filter(({ parentId }) => parentId === spanId);
    const posts = spans.filter((span) => isPost(span) && span.fields["understudy.run_id"] === run_id);
    expect(posts).toHaveLength(3);
    for (const post of posts) {
      expect(post).toMatchObject({ parentId: "", fields: { "http.route": "/runs", "http.response.status_code": 202 }, error: null });
      expect(new Set(below(post).map(({ service, name }) => `${service} ${name}`))).toEqual(new Set(["understudy-node POST /runs"])); // asked again where it is slow
    }
    const [root, ...others] = spans.filter(({ traceId, parentId }) => traceId === run_id.replaceAll("-", "") && parentId === "");
    expect(others).toEqual([]);
    expect(root).toMatchObject({
      name: "run",
      error: null,
      fields: { "understudy.status": "completed", "understudy.playbook_id": "read-orders" },
    });
    expect(posts.map(({ traceId, spanId }) => ({ traceId, spanId }))).toContainEqual(root?.links[0]);
    const steps = root ? below(root).toSorted((a, b) => a.startMs - b.startMs) : [];
    const actions = ["goto", "key_press", "key_press", "wait_for", "extract"];
    expect(steps.map(({ name, fields }) => [name, fields["understudy.step"]])).toEqual(actions.map((action, i) => [`step ${action}`, i]));
    expect(steps.map((step) => below(step).map(({ name }) => name))).toEqual(actions.map((action) => [`action ${action}`]));
    for (const word of [...Object.values(CREDENTIALS), system.dashboard.url, "Orders", "Type the username"])
      expect(collector.bodies.join()).not.toContain(word);
  });

  it("resumes a stream after any event, without gap or double", async () => {
    const { writer } = system.as;
    const { run_id, events } = done;
    for (const { id } of events.slice(0, -1)) {
      const rest: number[] = [];
      for await (const event of writer.events(run_id, { lastId: id })) rest.push(event.id);
      expect(rest).toEqual(events.slice(id).map((event) => event.id));
    }
    const last = events.at(-1)?.id ?? 0;
    for (const id of [last, last + 5]) {
      const response = await writer.call(`/runs/${run_id}/stream`, { headers: { "Last-Event-ID": String(id) } });
      expect(response.status).toBe(204);
    }
    const garbage = await writer.call(`/runs/${run_id}/stream`, { headers: { "Last-Event-ID": "-3 garbage" } });
    expect(await garbage.text()).toContain("id: 1\n");
  });

  it("fails with the step's message, the raw error beside it, and the failed step in its results", async () => {
    const { writer } = system.as;
    const url = system.dashboard.url;
    const { run_id } = await writer.create({
      params: { what: "42" },
      playbook: {
        id: "fails",
        guardrails: { allow_private_networks: true },
        parameters: [{ name: "what" }],
        steps: [
          { action: "goto", params: { url: `${url}/login` } },
          {
            action: "click",
            selector: "#no-such",
            on_failure: "abort",
            failure_message: "There is no {what} to be had",
            timeout_ms: 900,
            description: "Click it",
          },
        ],
      },
    });
    const { run } = await writer.finished(run_id);
    expect(run).toMatchObject({
      status: "failed",
      error: { code: "STEP_FAILED", message: "Step 2 (Click it): There is no 42 to be had" },
      step_results: [{ success: true }, { index: 1, success: false, attempts: 1, error: "There is no 42 to be had" }],
    });
    expect(run.step_results[1]?.raw_error).toContain("#no-such");
  });

  it("shows in the trace that a step's verification failed, though its action did not", async () => {
    const { writer } = system.as;
    const steps = [
      {
        action: "goto",
        params: { url: `${system.dashboard.url}/login` },
        verify: { expect_text_on_page: "never", timeout_ms: 100 },
        on_failure: "abort",
      },
    ];
    const { run_id } = await writer.create({ playbook: { id: "unverified", guardrails: { allow_private_networks: true }, steps } });
    expect((await writer.finished(run_id)).run.status).toBe("failed");
    const lines = (await readZip((await writer.trace(run_id)).bytes)).get("trace.trace")?.toString().trim().split("\n") ?? [];
    const group = lines.map((line) => JSON.parse(line)).find((event) => event.type === "after" && event.callId === "step@1");
    expect(group?.error?.message).toContain("never");
  });

  it("says that no model is there to recover a step", async () => {
    const { writer } = system.as;
    const { run_id } = await writer.create({
      playbook: {
        id: "unrecovered",
        guardrails: { allow_private_networks: true },
        steps: [
          { action: "goto", params: { url: `${system.dashboard.url}/login` } },
          { action: "click", selector: "#no-such", timeout_ms: 300 },
        ],
      },
    });
    const { run } = await writer.finished(run_id);
    expect(run).toMatchObject({
      status: "failed",
      error: { code: "STEP_FAILED" },
      step_results: [{ success: true }, { success: false, attempts: 2 }],
    });
    expect(run.error?.message).toMatch(
      /^Step 2 \(click\): Cannot click #no-such: (?:nothing matches|the page does not answer) \(for [\d.]+ s\)$/,
    );
    expect(run.error?.details?.raw_error).toContain("not recovered: no model is configured");
    const message = expect.stringMatching(/^Step 2 was not recovered: no model is configured/);
    expect(run.warnings).toMatchObject([{ phase: "recovery", error: { code: "LLM_ERROR", message } }]);
  });

  it("has a valid trace while it runs, is stopped on request, stays what it is when asked again, and is deleted with all its artifacts", async () => {
    const { writer } = system.as;
    const { run_id } = await writer.create(waitForever(system.dashboard.url));
    await writer.until(run_id, ({ event }) => event.type === "action");
    const { source, bytes } = await writer.trace(run_id);
    expect(source).toBe("live");
    expect((await readZip(bytes)).get("trace.trace")?.toString() ?? "").toContain("goto");
    expect((await writer.call(`/runs/${run_id}`, { method: "DELETE" })).status).toBe(409);
    const seen = [await shown(run_id)];
    const stopping = writer.stop(run_id);
    while (seen.at(-1)?.startsWith("running")) seen.push(await shown(run_id));
    expect(new Set(seen.slice(0, -1))).toEqual(new Set(["running, recording"])); // the recording ends after the run
    expect(seen.at(-1)).toMatch(/^terminated, (?:finalizing|ready)$/);
    expect(await stopping).toEqual({ run_id, status: "terminated" });
    expect(await writer.stop(run_id)).toEqual({ run_id, status: "terminated" });
    const { run, events } = await writer.finished(run_id);
    const statuses = events.flatMap(({ event }) => (event.type === "status" ? `${event.previous} → ${event.status}` : []));
    expect(statuses).toEqual(["null → queued", "queued → starting", "starting → running", "running → terminated"]);
    expect(run).toMatchObject({
      status: "terminated",
      error: { code: "RUN_TERMINATED" },
      step_results: [{ success: true }, { success: false }],
    });
    expect(await writer.stop(done.run_id)).toEqual({ run_id: done.run_id, status: "completed" });
    await writer.settled(run_id);
    expect((await writer.call(`/runs/${run_id}`, { method: "DELETE" })).ok).toBe(true);
    for (const path of ["", "/stream", "/recording/trace", "/recording/files/events.jsonl"]) {
      const gone = await writer.call(`/runs/${run_id}${path}`);
      expect([gone.status, await gone.json()]).toMatchObject([404, { error: { details: { reason: "deleted" } } }]);
    }
  });

  it("ends by its total clock, and says so", async () => {
    const { writer } = system.as;
    const { run_id } = await writer.create({ ...waitForever(system.dashboard.url), timeout_seconds: 1 });
    const { run } = await writer.finished(run_id);
    expect(run).toMatchObject({
      status: "timeout",
      error: { code: "TIMEOUT", details: { clock: "total" } },
      clocks: { total: { limit_s: 1 } },
    });
  });

  it("is refused by the guardrails at a private address that the operator did not list", async () => {
    const { writer } = system.as;
    const { port } = new URL(system.url);
    const { run_id } = await writer.create({
      playbook: {
        id: "out",
        guardrails: { allow_private_networks: true },
        steps: [{ action: "goto", params: { url: `http://127.0.0.1:${port}/healthz` } }],
      },
    });
    const { run, events } = await writer.finished(run_id);
    expect(run).toMatchObject({ status: "failed", error: { code: "GUARDRAIL_BLOCKED", details: { rule: "private_network" } } });
    expect(events.some(({ event }) => event.type === "guardrail" && event.kind === "block")).toBe(true);
  });

  it("fails as stuck, never completed, where the limits that somebody set say so; else its author's repeats are granted", async () => {
    const { writer } = system.as;
    const steps = Array.from({ length: 8 }, () => ({ action: "scroll", on_failure: "retry" }));
    const playbook = { id: "again", start_url: `${system.dashboard.url}/login`, guardrails: { allow_private_networks: true }, steps };
    const { run_id } = await writer.create({ playbook, guardrails: { stuck_repeat_hint: 2, stuck_repeat_warn: 3, stuck_repeat_stop: 4 } });
    const { run, events } = await writer.finished(run_id);
    expect(run).toMatchObject({ status: "failed", error: { code: "STUCK", details: { rule: "stuck_repeat", kind: "stop", step: 3 } } });
    expect(run.actions).toHaveLength(5); // the start page and four steps: no retry, no further step
    const verdicts = events.flatMap(({ event }) => (event.type === "guardrail" ? [`${event.rule} ${event.kind} ${event.action_seq}`] : []));
    expect(verdicts).toEqual(["stuck_repeat hint 3", "stuck_repeat warning 4", "stuck_repeat stop 5"]);
    const granted = await writer.create({ playbook });
    expect((await writer.finished(granted.run_id)).run).toMatchObject({ status: "completed" });
  });

  it("takes an example playbook as YAML, with parameters: lists orders as a table, reads a report in a window of its own", async () => {
    const { writer } = system.as;
    const example = async (name: string, params: object) => {
      const yaml = await readFile(join(import.meta.dirname, `../../examples/${name}.yaml`), "utf8");
      const body = { playbook: yaml, params: { dashboard: system.dashboard.url, ...params }, credentials: CREDENTIALS };
      return (await writer.finished((await writer.create(body)).run_id)).run;
    };
    const [listed, report] = await Promise.all([example("list-orders", { status: "On hold" }), example("monthly-report", {})]);
    const onHold = [...system.dashboard.state.orders.values()].filter((order) => order.status === "On hold");
    expect(listed).toMatchObject({ status: "completed", error: null, extracted_texts: [`${onHold.length} orders`, expect.any(String)] });
    expect(listed.extracted_texts[1]).toContain(`#${onHold[0]?.id}`);
    expect(listed.extracted_texts[1]).not.toContain("Delivered");
    expect(report).toMatchObject({ status: "completed", error: null });
    const rows = JSON.parse(report.result ?? "[]") as { status: string; orders: number }[];
    expect(rows.reduce((sum, { orders }) => sum + orders, 0)).toBe(60);
  });

  it("honours recording options", async () => {
    const { writer } = system.as;
    const { run_id } = await writer.create({ ...login(), recording: { enabled: false } });
    const { run } = await writer.finished(run_id);
    expect(run.recording).toEqual({ state: "off" });
    await writer.settled(run_id);
    const trace = await writer.call(`/runs/${run_id}/recording/trace`);
    expect([trace.status, await trace.json()]).toMatchObject([404, { error: { code: "NOT_FOUND", details: { reason: "disabled" } } }]);
    const traceless = await writer.create({ ...waitForever(system.dashboard.url), recording: { trace: false } });
    const link = await writer.call(`/runs/${traceless.run_id}/recording/viewer`);
    expect([link.status, await link.json()]).toMatchObject([404, { error: { code: "NOT_FOUND", details: { reason: "disabled" } } }]);
    await writer.stop(traceless.run_id);
  });

  it("shows no credential in its record, events, artifacts, logs or store", async () => {
    const { writer } = system.as;
    const { run_id, run, events } = done;
    const { password } = CREDENTIALS;
    expect(JSON.stringify([run, events])).not.toContain(password);
    const entries = await readZip((await writer.trace(run_id)).bytes);
    for (const [name, bytes] of entries) expect(bytes.includes(password), name).toBe(false);
    const folder = join(system.dataDir, "volume", "runs", run_id);
    for (const name of ["status.json", "events.jsonl", "action_log.json"])
      expect(await readFile(join(folder, name), "utf8")).not.toContain(password);
    expect(system.node.output()).not.toContain(password);
    expect(system.edge.output()).not.toContain(password);
  });

  it("is seen by its own key and by a pool key, and by no other", async () => {
    const { other, admin, reader } = system.as;
    const { run_id } = done;
    expect((await admin.read(run_id)).run_id).toBe(run_id);
    for (const path of ["", "/stream", "/recording/trace", "/recording/manifest"]) {
      const response = await other.call(`/runs/${run_id}${path}`);
      expect([path, response.status]).toEqual([path, 404]);
      await response.body?.cancel();
    }
    expect((await other.call(`/runs/${run_id}/stop`, { method: "POST" })).status).toBe(404);
    expect((await other.call(`/runs/${run_id}`, { method: "DELETE" })).status).toBe(404);
    expect((await reader.call("/runs", { method: "POST", body: JSON.stringify(login()) })).status).toBe(403);
    const listed = await other.json<{ runs: { run_id: string }[] }>("/runs?limit=200");
    expect(listed.runs.map((each) => each.run_id)).not.toContain(run_id);
  });

  it("is created once for one idempotency key", async () => {
    const { writer } = system.as;
    const again = await writer.create(postedOnce(), ONCE);
    expect(again.run_id).toBe(done.run_id);
    const body = JSON.stringify({ ...readOrders(system.dashboard.url), labels: { a: "b" } });
    expect((await writer.call("/runs", { method: "POST", headers: ONCE, body })).status).toBe(409);
  });

  it("stays accepted for its idempotency key when its playbook is gone and the node takes no more", async () => {
    const { writer, admin } = system.as;
    const file = join(system.dataDir, "playbooks", "short-lived.yaml");
    await writeFile(
      file,
      `id: short-lived\nguardrails: {allow_private_networks: true}\nsteps:\n  - {action: goto, params: {url: "${system.dashboard.url}/login"}}\n`,
    );
    const headers = { "Idempotency-Key": "once-accepted" };
    const first = await writer.create({ playbook: "short-lived" }, headers);
    await writer.finished(first.run_id);
    await rm(file);
    const [node] = (await admin.json<{ nodes: { node_id: string }[] }>("/pool/nodes")).nodes;
    await admin.json(`/pool/nodes/${node?.node_id}/drain`, { method: "POST" });
    expect((await writer.create({ playbook: "short-lived" }, headers)).run_id).toBe(first.run_id);
    expect(
      (await writer.call("/runs", { method: "POST", body: '{"playbook":"short-lived"}', headers: { "Idempotency-Key": "another" } }))
        .status,
    ).not.toBe(202);
    await admin.json(`/pool/nodes/${node?.node_id}/resume`, { method: "POST" });
  });
});
