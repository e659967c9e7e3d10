/** `/runs/{run_id}/recording`: what a run leaves behind, live while it runs, stored afterwards. */
import { AppError } from "../../shared/errors.ts";
import { parseRunId } from "../../shared/ids.ts";
import { TRACE_SOURCE_HEADER } from "../../shared/node.ts";
import { isArtifactPath, ManifestSchema } from "../../shared/recording.ts";
import { ARTIFACT_HEAD, passJson } from "../answers.ts";
import { type Call, type Endpoint, endpoint, POOL_ERRORS } from "../endpoint.ts";
import { askerOf, param } from "../endpoint-parts.ts";
import type { Log } from "../log.ts";
import type { Metrics } from "../metrics.ts";
import type { LiveFirst } from "../nodes/live-first.ts";
import { type OpenedBytes, openBytes } from "../relay/bytes.ts";
import { primedStream } from "../relay/primed.ts";

export type RecordingDeps = {
  liveFirst: LiveFirst;
  idleMs: number;
  metrics: Metrics;
  log: Log;
  /** Told of every chunk passed on: the runtime may want to tidy its memory. */
  onPassed?: (bytes: number) => void;
};

const CONDITIONS = ["range", "if-range", "if-none-match", "if-match", "if-modified-since", "if-unmodified-since"];
const STORED_HEADERS = ["Content-Length", "Content-Range", "ETag", "Last-Modified", "Accept-Ranges"];
const LIVE_LIMIT_MS = 5_000;

const RANGE_HEADERS = {
  Range: "One range of bytes; for stored bytes",
  "If-Range": "Only if the ETag is still this one",
  "If-None-Match": "304 if the ETag is this one",
};
const BYTES_ERRORS = ["NOT_FOUND", "RANGE_NOT_SATISFIABLE", ...POOL_ERRORS] as const;

export function recordingEndpoints({ liveFirst, idleMs, metrics, log, onPassed = () => {} }: RecordingDeps): Endpoint[] {
  const bytes = async ({ c, head, ...call }: Call, path: string, own: Record<string, string>): Promise<Response> => {
    const request = c.req.raw;
    const runId = parseRunId(param(c, "run_id"));
    const headOnly = request.method === "HEAD";
    const opened = await openBytes(liveFirst, idleMs, {
      runId,
      path,
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

  return [
    endpoint({
      method: "GET",
      path: "/runs/{run_id}/recording/manifest",
      scope: "read",
      summary: "List a run's artifacts",
      answers: { 200: { description: "While the run lives, sizes may be null", schema: ManifestSchema } },
      errors: ["NOT_FOUND", ...POOL_ERRORS],
      async handle({ c, head, ...call }) {
        const runId = parseRunId(param(c, "run_id"));
        const asker = askerOf(call);
        const path = `runs/${runId}/recording/manifest`;
        return passJson(
          head,
          await liveFirst(
            runId,
            {
              live: ({ client }) => client.json("GET", `/live/${path}`, { asker, limitMs: LIVE_LIMIT_MS }),
              stored: ({ client }) => client.json("GET", `/stored/${path}`, { asker }),
            },
            { asker },
          ),
        );
      },
    }),
    endpoint({
      method: "GET",
      path: "/runs/{run_id}/recording/trace",
      scope: "read",
      summary: "Download the trace",
      description:
        "`trace.zip`, for the Playwright Trace Viewer. While the run lives it is what has been recorded so far, sent whole and without a length. If that source fails before its first byte, the stored trace comes instead; if it fails later, the connection breaks.",
      headers: RANGE_HEADERS,
      answers: {
        200: {
          description: "The trace",
          mediaType: "application/zip",
          headers: { [TRACE_SOURCE_HEADER]: "`live` or `stored`", ETag: "Of stored traces" },
        },
        206: { description: "A part of a stored trace", mediaType: "application/zip" },
        304: { description: "The stored trace is the one you have" },
      },
      errors: [...BYTES_ERRORS],
      handle: (call) =>
        bytes(call, TRACE_PATH, { "Content-Type": "application/zip", "Content-Disposition": 'attachment; filename="trace.zip"' }),
    }),
    endpoint({
      method: "GET",
      path: "/runs/{run_id}/recording/screenshots/{name}",
      scope: "read",
      summary: "One screenshot",
      headers: RANGE_HEADERS,
      answers: {
        200: { description: "A JPEG", mediaType: "image/jpeg" },
        206: { description: "A part of it", mediaType: "image/jpeg" },
        304: { description: "It is the one you have" },
      },
      errors: [...BYTES_ERRORS],
      handle: (call) => bytes(call, `/recording/screenshots/${artifactPath(param(call.c, "name"))}`, { "Content-Type": "image/jpeg" }),
    }),
    endpoint({
      method: "GET",
      path: "/runs/{run_id}/recording/files/{path}",
      scope: "read",
      summary: "Any artifact of the manifest",
      headers: RANGE_HEADERS,
      answers: {
        200: { description: "The artifact, as a download", mediaType: "application/octet-stream" },
        206: { description: "A part of it", mediaType: "application/octet-stream" },
        304: { description: "It is the one you have" },
      },
      errors: [...BYTES_ERRORS],
      // whatever a run has left behind is never shown as a page of ours
      handle: (call) =>
        bytes(call, `/recording/files/${artifactPath(param(call.c, "path"))}`, {
          "Content-Type": "application/octet-stream",
          "Content-Disposition": "attachment",
        }),
    }),
  ];
}

const TRACE_PATH = "/recording/trace";

/** A path that no manifest can name is answered like one that is not there. */
function artifactPath(text: string): string {
  if (!isArtifactPath(text)) throw new AppError("NOT_FOUND", "No artifact has this name");
  return text;
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
