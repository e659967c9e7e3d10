/** What a run leaves behind: options, states, and the manifest of its artifacts. */
import { z } from "zod";

export const RecordingOptionsSchema = z.strictObject({
  enabled: z.boolean().default(true),
  trace: z.boolean().default(true),
  screenshots: z.boolean().default(true),
});
export type RecordingOptions = z.infer<typeof RecordingOptionsSchema>;

export const RECORDING_STATES = ["off", "recording", "finalizing", "ready", "partial", "lost"] as const;
export const RecordingSchema = z
  .object({
    state: z.enum(RECORDING_STATES),
    trace: z.literal(false).optional().describe("There where the request switched the trace alone off"),
  })
  .meta({ id: "Recording" });
export type RecordingState = (typeof RECORDING_STATES)[number];

export const ARTIFACT_KINDS = ["status", "events", "action", "action_log", "trace", "screenshot", "file"] as const;
export const ArtifactSchema = z.object({
  name: z.string().describe("Path below the run's folder"),
  kind: z.enum(ARTIFACT_KINDS),
  bytes: z.int().min(0).nullable(),
  sha256: z.string().nullable(),
});
export type Artifact = z.infer<typeof ArtifactSchema>;

export const ManifestSchema = z
  .object({ run_id: z.string(), state: z.enum(RECORDING_STATES), artifacts: z.array(ArtifactSchema) })
  .meta({ id: "Manifest" });
export type Manifest = z.infer<typeof ManifestSchema>;

/** As it lies in the volume. `api_key_name`: whose run it is, for who reads the volume without the store; null: only who may see everybody's. */
export const StoredManifestSchema = ManifestSchema.extend({ api_key_name: z.string().nullable().default(null) });
export type StoredManifest = z.infer<typeof StoredManifestSchema>;

/** A path below a run's folder, as the manifest names them: no empty, `.` or `..` segment, no backslash, no control character. */
export const isArtifactPath = (path: string): boolean =>
  path.length <= 300 && path.split("/").every((segment) => /^[A-Za-z0-9@_-][A-Za-z0-9@._-]*$/.test(segment) && !segment.includes(".."));

/** The run and its events, as they were when it was over. */
export const STATUS_FILE = "status.json";
export const EVENTS_FILE = "events.jsonl";
/** The folder below `runs/<run_id>/` and the file that `GET …/recording/trace` serves. */
export const SCREENSHOTS_FOLDER = "screenshots";
export const TRACE_FILE = "trace.zip";
