/** Bytes that a run has left behind → an answer: live while it runs, stored afterwards. Who may have them was settled before. */
import { TRACE_SOURCE_HEADER } from "../../shared/node.ts";
import { ARTIFACT_HEAD } from "../answers.ts";
import type { Call } from "../endpoint.ts";
import { askerOf } from "../endpoint-parts.ts";
import type { Log } from "../log.ts";
import type { Metrics } from "../metrics.ts";
import type { LiveFirst } from "../nodes/live-first.ts";
import { type OpenedBytes, openBytes } from "../relay/bytes.ts";
import { primedStream } from "../relay/primed.ts";

export type RunBytesDeps = {
  liveFirst: LiveFirst;
  idleMs: number;
  metrics: Metrics;
  log: Log;
  /** Told of every chunk passed on: the runtime may want to tidy its memory. */
  onPassed?: (bytes: number) => void;
};

/** `path`: below the run, `/recording/trace`. `own`: headers beside those of all artifacts. @throws NOT_FOUND, RANGE_NOT_SATISFIABLE, POOL_UNREACHABLE, UPSTREAM_TIMEOUT */
export type RunBytes = (call: Call, runId: string, path: string, own: Record<string, string>) => Promise<Response>;

export const TRACE_PATH = "/recording/trace";
export const TRACE_HEAD = { "Content-Type": "application/zip", "Content-Disposition": 'attachment; filename="trace.zip"' };

const CONDITIONS = ["range", "if-range", "if-none-match", "if-match", "if-modified-since", "if-unmodified-since"];
const STORED_HEADERS = ["Content-Length", "Content-Range", "ETag", "Last-Modified", "Accept-Ranges"];

export function createRunBytes({ liveFirst, idleMs, metrics, log, onPassed = () => {} }: RunBytesDeps): RunBytes {
  return async ({ c, head, ...call }, runId, path, own) => {
    const request = c.req.raw;
    const headOnly = request.method === "HEAD";
    const opened = await openBytes(liveFirst, idleMs, {
      runId,
      path,
      ownerKnows: path !== TRACE_PATH,
      headOnly,
      conditions: conditionsOf(request, headOnly),
      asker: askerOf(call),
      signal: request.signal,
    });
    const { answer, from } = opened;
    const headers: Record<string, string> = {
      ...head,
      ...ARTIFACT_HEAD,
      "Cache-Control": "private, no-cache",
      ...storedHead(opened),
      ...own,
    };
    if (path === TRACE_PATH) headers[TRACE_SOURCE_HEADER] = from;
    if (headOnly || answer.status === 304) {
      answer.cancel();
      return new Response(null, { status: answer.status, headers });
    }
    const body = primedStream(opened, {
      breakOff: c.env?.breakOff,
      onEnd: metrics.streamOpened("bytes"),
      onBroken: (error) => log.warn("A recording broke off", { run_id: runId, request_id: call.requestId, from, error }),
      onPassed(count) {
        metrics.relayed(from, count);
        onPassed(count);
      },
    });
    return new Response(body, { status: answer.status, headers });
  };
}

function conditionsOf({ headers }: Request, headOnly: boolean): Record<string, string> {
  const conditions: Record<string, string> = {};
  for (const name of CONDITIONS) {
    const value = headers.get(name);
    if (value === null || /[^\x20-\x7e]/.test(value)) continue; // no condition that could hold
    if (headOnly && (name === "range" || name === "if-range")) continue; // RFC 9110, 14.2: ranges are for GET
    conditions[name] = value;
  }
  return conditions;
}

function storedHead({ whole, answer }: OpenedBytes): Record<string, string> {
  const head: Record<string, string> = {};
  if (whole) return head;
  for (const name of STORED_HEADERS) {
    const value = answer.field(name.toLowerCase());
    if (value !== undefined) head[name] = value;
  }
  return head;
}
