/**
 * The bucket, asked in the words of the node protocol: one more source of stored runs, beside the nodes, for when none of them answers.
 * A run that is not there, or not the asker's, is a source that cannot tell (a node might), so that nobody learns whose runs there are.
 */
import { type BucketRuns, readText, type StoredArtifact } from "../../shared/bucket-runs.ts";
import { AppError } from "../../shared/errors.ts";
import { EVENTS_FILE, type Manifest, SCREENSHOTS_FOLDER, STATUS_FILE, type StoredManifest, TRACE_FILE } from "../../shared/recording.ts";
import { parseLastEventId } from "../../shared/sse.ts";
import type { CallOptions, StoredSource } from "../nodes/node-client.ts";
import type { WireAnswer } from "../wire/exchange.ts";
import { answerOf, artifactAnswer } from "./artifact-answer.ts";
import { storedFrames } from "./stored-frames.ts";

const MAX_RUN_BYTES = 64 * 1024 * 1024;
const encoder = new TextEncoder();

export function createBucketSource(runs: BucketRuns): StoredSource {
  const manifestOf = async (runId: string, { asker, signal }: CallOptions): Promise<StoredManifest> => {
    const manifest = await runs.manifest(runId, signal);
    if (manifest && asker && (asker.onlyOwn === null || asker.onlyOwn === manifest.api_key_name)) return manifest;
    throw cannotTell("not_in_bucket");
  };

  const artifactOf = async (manifest: Manifest, path: string, signal?: AbortSignal): Promise<StoredArtifact> => {
    const artifact = await runs.find(manifest.run_id, path, signal);
    if (artifact) return artifact;
    const details = manifest.state === "off" && path === TRACE_FILE ? { reason: "disabled" } : {};
    throw new AppError("NOT_FOUND", "The run has no such artifact", { details });
  };

  const bodyOf = async (manifest: Manifest, path: string, signal?: AbortSignal) => {
    const body = await runs.open(manifest.run_id, await artifactOf(manifest, path, signal), null, signal);
    if (body === null) throw cannotTell("not_in_bucket"); // deleted in this moment
    return body;
  };

  const openEvents = async (manifest: Manifest, { headers, signal }: CallOptions): Promise<WireAnswer> => {
    const frames = storedFrames(await bodyOf(manifest, EVENTS_FILE, signal), parseLastEventId(headers?.["last-event-id"]));
    const first = await frames.next();
    if (first.done) return answerOf(204, {}, async () => null);
    let next: string | null = first.value;
    const read = async () => {
      const text = next ?? (await frames.next()).value;
      next = null;
      return text === undefined ? null : encoder.encode(text);
    };
    return answerOf(200, { "content-type": "text/event-stream" }, read, () => void frames.return(undefined));
  };

  return {
    async open(method, target, options) {
      const { runId, rest } = parseTarget(target);
      const manifest = await manifestOf(runId, options);
      if (rest === "/stream") return openEvents(manifest, options);
      const artifact = await artifactOf(manifest, pathOf(rest), options.signal);
      return artifactAnswer(artifact, method, options.headers ?? {}, (range) => runs.open(runId, artifact, range, options.signal));
    },

    async json(_method, target, options = {}) {
      const { runId, rest } = parseTarget(target);
      const { api_key_name: _, ...manifest } = await manifestOf(runId, options);
      if (rest === "/recording/manifest") return { status: 200, text: JSON.stringify(manifest), value: manifest };
      if (rest !== "") throw cannotTell("not_in_bucket");
      const text = await readText(await bodyOf(manifest, STATUS_FILE, options.signal), MAX_RUN_BYTES);
      return { status: 200, text, value: options.isSurely?.(text) ? undefined : JSON.parse(text) };
    },

    async location(runId, options) {
      await manifestOf(runId, options);
      return { run_id: runId, state: "stored", node_id: null, node_url: null };
    },
  };
}

const cannotTell = (reason: string): AppError =>
  new AppError("POOL_UNREACHABLE", "The bucket cannot tell of this run", { details: { reason }, retryAfterS: 2 });

/** `/stored/runs/<run_id>`, and what stands behind it. */
function parseTarget(target: string): { runId: string; rest: string } {
  const [, runId, rest] = /^\/stored\/runs\/([0-9a-f-]{36})(\/.*)?$/.exec(target) ?? [];
  if (runId === undefined) throw cannotTell("not_in_bucket");
  return { runId, rest: rest ?? "" };
}

/** The artifact that a path of the API serves. */
function pathOf(rest: string): string {
  if (rest === "/recording/trace") return TRACE_FILE;
  const [, kind, name = ""] = /^\/recording\/(screenshots|files)\/(.+)$/.exec(rest) ?? [];
  return kind === "screenshots" ? `${SCREENSHOTS_FOLDER}/${name}` : name;
}
