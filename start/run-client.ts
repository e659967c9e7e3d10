/** The public API as the demo uses it: post a run, follow it, fetch what it left. */
import { createWriteStream } from "node:fs";
import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { pause } from "../shared/deadline.ts";
import type { NumberedEvent } from "../shared/event.ts";
import { TRACE_SOURCE_HEADER } from "../shared/node.ts";
import type { Manifest } from "../shared/recording.ts";
import type { Run, RunCreated } from "../shared/run.ts";
import { parseEvent, parseFrames } from "../shared/sse.ts";

const RECONNECTS = 5;
const RECONNECT_MS = 500;

export type RunClient = ReturnType<typeof createRunClient>;

export function createRunClient(url: string, key: string, signal: AbortSignal) {
  async function call(path: string, init: RequestInit = {}): Promise<Response> {
    const response = await fetch(`${url}${path}`, { ...init, signal, headers: { ...init.headers, Authorization: `Bearer ${key}` } });
    if (!response.ok) throw new Error(`${init.method ?? "GET"} ${path} answered ${response.status}: ${await response.text()}`);
    return response;
  }
  const json = async <T>(path: string, init?: RequestInit): Promise<T> => (await call(path, init)).json() as Promise<T>;

  return {
    create: (body: unknown) =>
      json<RunCreated>("/runs", { method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" } }),

    read: (runId: string) => json<Run>(`/runs/${runId}`),

    /** Every event, to `complete`. A connection that breaks is taken up again after the last event it brought. */
    async *events(runId: string): AsyncGenerator<NumberedEvent> {
      let lastId = 0;
      for (let attempt = 0; attempt <= RECONNECTS; attempt++) {
        if (attempt > 0) await pause(RECONNECT_MS, signal);
        try {
          const { body } = await call(`/runs/${runId}/stream`, { headers: { "Last-Event-ID": String(lastId) } });
          for await (const frame of parseFrames(body ?? new ReadableStream())) {
            const numbered = parseEvent(frame);
            if (numbered === null) continue;
            lastId = numbered.id;
            yield numbered;
            if (numbered.event.type === "complete") return;
          }
        } catch (error) {
          if (signal.aborted || attempt === RECONNECTS) throw error;
        }
      }
      throw new Error(`The event stream of run ${runId} ended ${RECONNECTS} times before its end`);
    },

    /** Saves trace and screenshots below the folder. */
    async download(runId: string, folder: string): Promise<{ trace: string; bytes: number; source: string | null; screenshots: number }> {
      const save = async (path: string, name: string) => {
        const response = await call(`/runs/${runId}/recording/${path}`);
        const file = join(folder, name);
        await mkdir(dirname(file), { recursive: true });
        const output = createWriteStream(file);
        if (response.body) await pipeline(response.body, output);
        return { file, bytes: output.bytesWritten, source: response.headers.get(TRACE_SOURCE_HEADER) };
      };
      const trace = await save("trace", "trace.zip");
      const { artifacts } = await json<Manifest>(`/runs/${runId}/recording/manifest`);
      const screenshots = artifacts.filter(({ kind }) => kind === "screenshot").map(({ name }) => name);
      for (const name of screenshots) await save(name, name);
      return { trace: trace.file, bytes: trace.bytes, source: trace.source, screenshots: screenshots.length };
    },
  };
}
