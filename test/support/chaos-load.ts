/** Steady load on a pool that is being broken, and the judgement of what became of it. */
import { createHash } from "node:crypto";
import { expect } from "vitest";
import { pause } from "../../shared/deadline.ts";
import type { NumberedEvent } from "../../shared/event.ts";
import type { Manifest } from "../../shared/recording.ts";
import type { Run, RunCreated } from "../../shared/run.ts";
import { isTerminal } from "../../shared/run-status.ts";
import type { Client } from "./client.ts";
import { payOnce, type Till } from "./till.ts";

/** A run that was answered with 202, and what its client heard of it. */
export type Accepted = { run_id: string; customer: string; retries: number; heard: NumberedEvent[] };

export type Load = {
  accepted: Accepted[];
  /** Posts no more; resolves once every run that was accepted has told its client of its end. */
  end(): Promise<void>;
};

/** Nodes try again every 30 s at the latest. */
const SETTLE_LIMIT_MS = 60_000;
const RETRIES = [0, 0, 1, 3];

/** Posts a run every `everyMs`, in turn by each client, and follows it by the next one through whatever breaks. */
export function startLoad({ clients, till, everyMs }: { clients: Client[]; till: Till; everyMs: number }): Load {
  const accepted: Accepted[] = [];
  const following: Promise<void>[] = [];
  const ending = new AbortController();
  let turn = 0;
  const next = () => clients[turn++ % clients.length] as Client;

  async function post(n: number): Promise<void> {
    const customer = `customer-${n}`;
    const retries = RETRIES[n % RETRIES.length] as number;
    const body = JSON.stringify({ ...payOnce(till.url, customer), retries });
    while (!ending.signal.aborted) {
      const answer = await next()
        .call("/runs", { method: "POST", body, headers: { "Idempotency-Key": customer }, signal: AbortSignal.timeout(20_000) })
        .catch(() => null); // as a client does that wants its run: again, with the same key
      if (answer?.status === 202) {
        const run = { run_id: ((await answer.json()) as RunCreated).run_id, customer, retries, heard: [] };
        accepted.push(run);
        following.push(follow(run, n));
        return;
      }
      await answer?.body?.cancel();
      await pause(200);
    }
  }

  async function follow({ run_id, heard }: Accepted, n: number): Promise<void> {
    while (heard.at(-1)?.event.type !== "complete") {
      const leaving = new AbortController();
      try {
        for await (const event of next().events(run_id, { lastId: heard.at(-1)?.id, signal: leaving.signal })) {
          heard.push(event);
          if (n % 3 === 0 && event.id % 4 === 0) leaving.abort(); // a client whose own connection breaks
        }
      } catch {
        // whatever broke: it asks again from where it was
      }
      await pause(100);
    }
  }

  const posting = (async () => {
    const posts: Promise<void>[] = [];
    for (let n = 0; !ending.signal.aborted; n++) {
      posts.push(post(n));
      await pause(everyMs, ending.signal).catch(() => {}); // ending: the loop ends
    }
    await Promise.all(posts);
  })();

  return {
    accepted,
    async end() {
      ending.abort();
      await posting;
      await Promise.all(following);
    },
  };
}

/** Every run ended once, was told of without gap or double, left whole artifacts or says which are missing, and did nothing twice. */
export async function judge({ accepted }: Load, client: Client, till: Till): Promise<{ outcomes: Record<string, number>; again: number }> {
  const outcomes: Record<string, number> = {};
  let again = 0;
  for (const { run_id, customer, retries, heard } of accepted) {
    const run = await settled(client, run_id);
    const about = `${run_id} (${run.status} ${run.error?.code ?? ""}, attempt ${run.attempt} of ${retries + 1})`;
    const stored: NumberedEvent[] = [];
    for await (const event of client.events(run_id)) stored.push(event);
    expect(heard, `events of ${about}`).toEqual(stored);
    expect(
      stored.map(({ id }) => id),
      `ids of ${about}`,
    ).toEqual(stored.map((_, i) => i + 1));
    expect(stored.filter(({ event }) => event.type === "complete").length, `ends of ${about}`).toBe(1);
    expect(stored.at(-1)?.event, `end of ${about}`).toMatchObject({ type: "complete", status: run.status });
    const begun = stored.filter(({ event }) => event.type === "status" && event.status === "starting").length;
    expect(begun, `attempts of ${about}`).toBeLessThanOrEqual(retries + 1);
    expect(till.paid.get(customer) ?? 0, `payments of ${about}`).toBeLessThanOrEqual(1);
    if (run.status === "completed") expect(till.paid.get(customer), `payments of ${about}`).toBe(1);
    await expectWhole(client, run, about);
    const outcome = run.status === "completed" ? run.status : `${run.status} ${run.error?.code}`;
    outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
    again += run.attempt - 1;
  }
  return { outcomes, again };
}

/** The run once its artifacts are stored, or given up. */
async function settled(client: Client, runId: string): Promise<Run> {
  const until = Date.now() + SETTLE_LIMIT_MS;
  for (;;) {
    const run = await client.read(runId);
    if (isTerminal(run.status) && run.recording.state !== "recording" && run.recording.state !== "finalizing") return run;
    if (Date.now() > until)
      throw new Error(`The run is not settled: ${JSON.stringify({ ...run, actions: [], step_results: [], guardrails: null })}`);
    await pause(100);
  }
}

/** What the manifest names is there, byte for byte. */
async function expectWhole(client: Client, run: Run, about: string): Promise<void> {
  const answer = await client.call(`/runs/${run.run_id}/recording/manifest`);
  if (!answer.ok) {
    expect(["lost", "off"], `recording of ${about}, whose manifest is ${answer.status}: ${await answer.text()}`).toContain(
      run.recording.state,
    );
    return;
  }
  const { artifacts } = (await answer.json()) as Manifest;
  for (const { name, bytes, sha256 } of artifacts) {
    const file = await client.call(`/runs/${run.run_id}/recording/${name === "trace.zip" ? "trace" : `files/${name}`}`);
    const body = Buffer.from(await file.arrayBuffer());
    expect([name, file.status, body.length], about).toEqual([name, 200, bytes]);
    expect(createHash("sha256").update(body).digest("hex"), `${name} of ${about}`).toBe(sha256);
  }
}
