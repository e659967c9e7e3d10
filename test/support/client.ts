/** A client of the public API, as a user would write one: fetch and an SSE reader. */
import { pause } from "../../shared/deadline.ts";
import type { NumberedEvent } from "../../shared/event.ts";
import type { Run, RunCreated } from "../../shared/run.ts";
import { isTerminal } from "../../shared/run-status.ts";
import { parseEvent, parseFrames } from "../../shared/sse.ts";

export type Client = ReturnType<typeof createClient>;

export function createClient(url: string, key: string) {
  const call = (path: string, init: RequestInit = {}) =>
    fetch(`${url}${path}`, {
      ...init,
      headers: { Authorization: `Bearer ${key}`, ...(init.body ? { "Content-Type": "application/json" } : {}), ...init.headers },
    });

  /** The body of a 2xx answer; anything else throws with the whole answer in the message. */
  const json = async <T>(path: string, init?: RequestInit): Promise<T> => {
    const response = await call(path, init);
    const text = await response.text();
    if (!response.ok) throw new Error(`${init?.method ?? "GET"} ${path} answered ${response.status}: ${text}`);
    return JSON.parse(text) as T;
  };

  /** Events after `lastId`, to the last one. */
  async function* events(runId: string, options: { lastId?: number; signal?: AbortSignal } = {}): AsyncGenerator<NumberedEvent> {
    const headers: Record<string, string> = options.lastId === undefined ? {} : { "Last-Event-ID": String(options.lastId) };
    const response = await call(`/runs/${runId}/stream`, { headers, signal: options.signal });
    if (response.status !== 200 || !response.body) throw new Error(`The stream answered ${response.status}: ${await response.text()}`);
    for await (const frame of parseFrames(response.body)) {
      const event = parseEvent(frame);
      if (event) yield event;
    }
  }

  return {
    call,
    json,
    events,
    create: (body: unknown, headers: Record<string, string> = {}) =>
      json<RunCreated>("/runs", { method: "POST", body: JSON.stringify(body), headers }),
    read: (runId: string) => json<Run>(`/runs/${runId}`),
    stop: (runId: string) => json<{ run_id: string; status: string }>(`/runs/${runId}/stop`, { method: "POST" }),
    /** Follows the stream to its end, then reads the run. */
    async finished(runId: string): Promise<{ run: Run; events: NumberedEvent[] }> {
      const seen: NumberedEvent[] = [];
      for await (const event of events(runId)) seen.push(event);
      const run = await json<Run>(`/runs/${runId}`);
      if (!isTerminal(run.status)) throw new Error(`The stream ended, and the run is ${run.status}`);
      return { run, events: seen };
    },
    /** Reads the stream until an event fits, and leaves it. */
    async until(runId: string, fits: (event: NumberedEvent) => boolean): Promise<NumberedEvent> {
      const leaving = new AbortController();
      try {
        for await (const event of events(runId, { signal: leaving.signal })) if (fits(event)) return event;
      } finally {
        leaving.abort();
      }
      throw new Error("The stream ended without such an event");
    },
    /** Waits until the run's artifacts are stored. */
    async settled(runId: string): Promise<void> {
      for (;;) {
        const response = await call(`/runs/${runId}/recording/trace`, { method: "HEAD" });
        const manifest = await call(`/runs/${runId}/recording/manifest`);
        const text = await manifest.text();
        if (
          response.headers.get("X-Trace-Source") === "stored" ||
          (manifest.ok && JSON.parse(text).artifacts.some(({ sha256 }: { sha256: string | null }) => sha256 !== null))
        )
          return;
        await pause(25);
      }
    },
    async trace(runId: string): Promise<{ source: string | null; bytes: Uint8Array }> {
      const response = await call(`/runs/${runId}/recording/trace`);
      if (!response.ok) throw new Error(`The trace answered ${response.status}: ${await response.text()}`);
      return { source: response.headers.get("X-Trace-Source"), bytes: new Uint8Array(await response.arrayBuffer()) };
    },
  };
}
