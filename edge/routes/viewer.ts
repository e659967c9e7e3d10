/** The trace viewer: a link to one run's trace, the page that the link opens, the viewer's files, and what that page may read by the link. */
import { z } from "zod";
import { AppError } from "../../shared/errors.ts";
import { parseRunId } from "../../shared/ids.ts";
import { RecordingSchema } from "../../shared/recording.ts";
import { answerJson } from "../answers.ts";
import { parseBearer } from "../auth.ts";
import type { EdgeConfig } from "../config.ts";
import { type Call, type Endpoint, endpoint, POOL_ERRORS } from "../endpoint.ts";
import { askerOf, param } from "../endpoint-parts.ts";
import type { LiveFirst } from "../nodes/live-first.ts";
import type { ViewerFile, ViewerFiles } from "../viewer/files.ts";
import type { Links } from "../viewer/link.ts";
import { renderPage } from "../viewer/page.ts";
import { type RunBytes, TRACE_HEAD, TRACE_PATH } from "./run-bytes.ts";
import { type RunEvents, STREAM_ANSWERS, STREAM_HEADERS } from "./stream.ts";

export type ViewerDeps = {
  liveFirst: LiveFirst;
  runBytes: RunBytes;
  runEvents: RunEvents;
  links: Links;
  files: ViewerFiles;
  config: Pick<EdgeConfig, "viewerOrigin">;
};

const ViewerLinkSchema = z
  .object({
    viewer_url: z
      .string()
      .describe(
        "For a browser; good until `expires_at`. A path of this edge, as `status_url` is, unless the viewer has an origin of its own",
      ),
    expires_at: z.iso.datetime(),
  })
  .meta({ id: "ViewerLink" });
const RunRecordingSchema = z.object({ recording: RecordingSchema });

const INDEX = "index.html";
const PAGE = "/trace-viewer/run";
const LIVE_LIMIT_MS = 5_000;

export function viewerEndpoints({ liveFirst, runBytes, runEvents, links, files, config }: ViewerDeps): Endpoint[] {
  const file = async ({ c, head, ...call }: Call, name: string): Promise<Response> => {
    const found = await files(name, askerOf(call));
    if (!found) throw new AppError("NOT_FOUND", "The trace viewer has no such file");
    return answerFile(head, found, c.req.raw);
  };

  /** The call on behalf of the link that it shows. @throws UNAUTHORIZED */
  const byLink = async (call: Call): Promise<{ runId: string; linked: Call }> => {
    const { runId, caller } = await links.open(parseBearer(call.c.req.raw.headers.get("authorization")));
    return { runId, linked: { ...call, caller } };
  };

  let page: ReturnType<typeof renderPage> | null = null;
  const common = { method: "GET", viewer: true } as const;
  return [
    endpoint({
      method: "GET",
      path: "/runs/{run_id}/recording/viewer",
      scope: "read",
      summary: "Open the trace in the viewer",
      description:
        "A link to the run's trace in the Playwright Trace Viewer, which is refreshed while the run goes on. The link holds no key: it is signed, good for this run's trace and events alone, and expires; it ends with the key that asked for it. What it is signed with stands behind `#`, which browsers send to nobody.",
      headers: { Accept: "With `application/json` the link comes as 200 in the body instead of as a redirect" },
      answers: {
        302: { description: "To the viewer", schema: ViewerLinkSchema, headers: { Location: "The same as `viewer_url`" } },
        200: { description: "The link, when JSON is asked for", schema: ViewerLinkSchema },
      },
      errors: ["NOT_FOUND", ...POOL_ERRORS],
      async handle({ c, head, caller, ...call }) {
        const runId = parseRunId(param(c, "run_id"));
        await requireTrace(liveFirst, runId, { caller, ...call });
        const { link, expiresAt } = await links.make(runId, caller);
        const viewerUrl = `${config.viewerOrigin ?? ""}${PAGE}#${link}`;
        const asJson = /\bapplication\/json\b/i.test(c.req.raw.headers.get("accept") ?? "");
        const headers = { ...head, Vary: [head.Vary, "Accept"].filter(Boolean).join(", "), ...(asJson ? {} : { Location: viewerUrl }) };
        return answerJson(headers, { viewer_url: viewerUrl, expires_at: expiresAt.toISOString() }, asJson ? 200 : 302);
      },
    }),
    endpoint({
      ...common,
      path: PAGE,
      scope: null,
      summary: "The page around the viewer",
      description: "Shows the trace that the link behind `#` is good for, and refreshes it until the run is over.",
      answers: { 200: { description: "The page", mediaType: "text/html" } },
      errors: [],
      async handle({ head }) {
        page ??= renderPage();
        const { html, head: own } = await page;
        return new Response(html, { headers: { ...head, ...own } });
      },
    }),
    endpoint({
      ...common,
      path: `${PAGE}/trace`,
      scope: "link",
      summary: "The trace that a link is good for",
      answers: { 200: { description: "The trace, live or stored", mediaType: "application/zip" } },
      errors: ["NOT_FOUND", "RANGE_NOT_SATISFIABLE", ...POOL_ERRORS],
      async handle(call) {
        const { runId, linked } = await byLink(call);
        return runBytes(linked, runId, TRACE_PATH, TRACE_HEAD);
      },
    }),
    endpoint({
      ...common,
      path: `${PAGE}/events`,
      scope: "link",
      summary: "The events of a link's run",
      headers: STREAM_HEADERS,
      answers: STREAM_ANSWERS,
      errors: ["NOT_FOUND", ...POOL_ERRORS],
      async handle(call) {
        const { runId, linked } = await byLink(call);
        return runEvents(linked, runId);
      },
    }),
    endpoint({
      ...common,
      path: "/trace-viewer",
      scope: null,
      summary: "Leads to the viewer",
      answers: { 308: { description: "To `/trace-viewer/`" } },
      errors: [],
      handle: ({ head }) => new Response(null, { status: 308, headers: { ...head, Location: "/trace-viewer/" } }),
    }),
    endpoint({
      ...common,
      path: "/trace-viewer/",
      scope: null,
      summary: "The Playwright Trace Viewer",
      description: "As Playwright ships it: it opens traces that are dropped on it.",
      answers: { 200: { description: "The viewer", mediaType: "text/html" } },
      errors: POOL_ERRORS,
      handle: (call) => file(call, INDEX),
    }),
    endpoint({
      ...common,
      path: "/trace-viewer/{path}",
      scope: null,
      summary: "A file of the viewer",
      answers: {
        200: { description: "The file; kept for good where its name has a hash", mediaType: "application/octet-stream" },
        304: { description: "It is the one you have" },
      },
      errors: ["NOT_FOUND", ...POOL_ERRORS],
      handle: (call) => file(call, param(call.c, "path")),
    }),
  ];
}

/** A link to what will never be there helps nobody. Whether there is something yet is the page's matter: it waits. */
async function requireTrace(liveFirst: LiveFirst, runId: string, call: Parameters<typeof askerOf>[0]): Promise<void> {
  const asker = askerOf(call);
  const { value } = await liveFirst(
    runId,
    {
      live: ({ client }) => client.json("GET", `/live/runs/${runId}`, { asker, limitMs: LIVE_LIMIT_MS }),
      stored: ({ client }) => client.json("GET", `/stored/runs/${runId}`, { asker }),
    },
    { asker },
  );
  const run = RunRecordingSchema.safeParse(value);
  const { state, trace } = run.data?.recording ?? {};
  if (state === "off" || trace === false) throw new AppError("NOT_FOUND", "The run keeps no trace", { details: { reason: "disabled" } });
  if (state === "lost") throw new AppError("NOT_FOUND", "The run's recording was lost with its node", { details: { reason: "node_lost" } });
}

function answerFile(head: Record<string, string>, file: ViewerFile, { headers }: Request): Response {
  const { bytes, gzip, type, etag, immutable } = file;
  const asGzip = gzip !== null && /\bgzip\b(?!\s*;\s*q=0(\.0*)?\s*(,|$))/.test(headers.get("accept-encoding") ?? "");
  const tag = asGzip ? `"${etag}-gzip"` : `"${etag}"`;
  const own: Record<string, string> = {
    ...head,
    ...file.head,
    ETag: tag,
    "Cache-Control": immutable ? "public, max-age=31536000, immutable" : "no-cache",
    Vary: "Accept-Encoding",
  };
  const known = headers.get("if-none-match")?.split(",") ?? [];
  if (known.some((each) => each.trim().replace(/^W\//, "") === tag || each.trim() === "*"))
    return new Response(null, { status: 304, headers: own });
  own["Content-Type"] = type;
  if (asGzip) own["Content-Encoding"] = "gzip";
  return new Response(asGzip ? gzip : bytes, { headers: own });
}
