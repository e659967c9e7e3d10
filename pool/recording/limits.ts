/** What the recording of one run may take, and what an operator may set of it: POOL_RECORDING. */
import { z } from "zod";
import type { BlobLimits } from "./blobs.ts";
import type { FilmLimits } from "./film.ts";
import type { NetworkLimits } from "./network.ts";
import type { SnapshotLimits } from "./snapshots.ts";

/** Past one of them the trace says so and stays valid. */
export type RecordingLimits = {
  /** The events' file, before it is zipped. A viewer holds all of it in memory. */
  traceBytes: number;
  /** One after each action. */
  pictures: number;
  pictureBytes: number;
  /** Console messages and uncaught errors of all pages. */
  consoleMessages: number;
  /** Longest wait for one picture. */
  pictureMs: number;
} & BlobLimits &
  FilmLimits &
  NetworkLimits &
  SnapshotLimits;

const MB = 1024 * 1024;
/** An operator's largest snapshot; no line of a trace is much longer. */
export const MAX_SNAPSHOT_BYTES = 64 * MB;
const upTo = (max: number, fallback: number, min = 0) => z.int().min(min).max(max).default(fallback);

/** A zip without 64-bit records holds 65,535 files and 4 GB; pictures stand beside the trace, not in it. */
export const RecordingLimitsSchema = z
  .strictObject({
    trace_bytes: upTo(512 * MB, 64 * MB, MB),
    blobs: upTo(60_000, 20_000),
    blob_bytes: upTo(3_000 * MB, 256 * MB),
    body_bytes: upTo(256 * MB, 2 * MB),
    requests: upTo(50_000, 10_000),
    snapshot_bytes: upTo(MAX_SNAPSHOT_BYTES, 8 * MB),
    snapshot_ms: upTo(30_000, 5_000, 100),
    frames: upTo(1_000, 100, 1),
    film_pixels: upTo(3_840, 640, 64),
    film_quality: upTo(100, 55, 1),
    film_per_second: z.number().min(0.1).max(30).default(5),
    film_frames: upTo(50_000, 2_000),
    pictures: upTo(100_000, 2_000),
    picture_bytes: upTo(100_000 * MB, 256 * MB),
    picture_ms: upTo(30_000, 3_000, 100),
    console_messages: upTo(100_000, 10_000),
  })
  .transform(
    (given): RecordingLimits => ({
      traceBytes: given.trace_bytes,
      blobs: given.blobs,
      blobBytes: given.blob_bytes,
      bodyBytes: given.body_bytes,
      requests: given.requests,
      snapshotBytes: given.snapshot_bytes,
      snapshotMs: given.snapshot_ms,
      frames: given.frames,
      filmPixels: given.film_pixels,
      filmQuality: given.film_quality,
      filmPerSecond: given.film_per_second,
      filmFrames: given.film_frames,
      pictures: given.pictures,
      pictureBytes: given.picture_bytes,
      pictureMs: given.picture_ms,
      consoleMessages: given.console_messages,
    }),
  );
export const RECORDING_LIMITS: RecordingLimits = RecordingLimitsSchema.parse({});
