/** `/runs/{run_id}/recording`: what a run leaves behind, live while it runs, stored afterwards. */
import { AppError } from "../../shared/errors.ts";
import { parseRunId } from "../../shared/ids.ts";
import { TRACE_SOURCE_HEADER } from "../../shared/node.ts";
import { isArtifactPath, ManifestSchema } from "../../shared/recording.ts";
import { passJson } from "../answers.ts";
import { type Call, type Endpoint, endpoint, POOL_ERRORS } from "../endpoint.ts";
import { askerOf, param } from "../endpoint-parts.ts";
import type { LiveFirst } from "../nodes/live-first.ts";
import { type RunBytes, TRACE_HEAD, TRACE_PATH } from "./run-bytes.ts";

const LIVE_LIMIT_MS = 5_000;

const RANGE_HEADERS = {
  Range: "One range of bytes; for stored bytes",
  "If-Range": "Only if the ETag is still this one",
  "If-None-Match": "304 if the ETag is this one",
};
const BYTES_ERRORS = ["NOT_FOUND", "RANGE_NOT_SATISFIABLE", ...POOL_ERRORS] as const;

export function recordingEndpoints({ liveFirst, runBytes }: { liveFirst: LiveFirst; runBytes: RunBytes }): Endpoint[] {
  const bytes = (call: Call, path: string, own: Record<string, string>) => runBytes(call, parseRunId(param(call.c, "run_id")), path, own);

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
      handle: (call) => bytes(call, TRACE_PATH, TRACE_HEAD),
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

/** A path that no manifest can name is answered like one that is not there. */
function artifactPath(text: string): string {
  if (!isArtifactPath(text)) throw new AppError("NOT_FOUND", "No artifact has this name");
  return text;
}
