/** Where the artifacts of finished runs lie: a directory, or a bucket. */
import type { ByteRange } from "../../shared/bucket-runs.ts";
import type { Artifact, Manifest, RecordingState } from "../../shared/recording.ts";

export type ArtifactStat = { size: number /** Strong, with its quotes. */; etag: string };
export type ArtifactBody = ArtifactStat & { body: AsyncIterable<Uint8Array> };
export type StagedFile = Pick<Artifact, "name" | "kind">;

/** Reading never throws for a name that cannot exist: the answer is `null`, as for one that does not. */
export interface Volume {
  /**
   * Makes the named files of `stagedDir` the run's artifacts, all at once: a reader sees every one of them or none. They survive a power cut.
   * The first commit of a run stands; a later one changes nothing and answers with the manifest that stands, so that it can be repeated.
   * `stagedDir` stays as it is; its files must not change any more. `owner` is the name of the key whose run it is, or null.
   */
  commit(runId: string, stagedDir: string, files: readonly StagedFile[], state?: RecordingState, owner?: string | null): Promise<Manifest>;
  manifest(runId: string): Promise<Manifest | null>;
  /** Size and tag of one artifact of the manifest. */
  stat(runId: string, path: string): Promise<ArtifactStat | null>;
  /** Opens one artifact of the manifest. The body is read as it is pulled, and closed when its reader leaves; pull it, or call its `return`. `size` is of the whole. */
  open(runId: string, path: string, range?: ByteRange): Promise<ArtifactBody | null>;
  /** All of a run at once. True if there was something. */
  remove(runId: string): Promise<boolean>;
  /** Would it answer now? Never throws. */
  healthy(): Promise<boolean>;
  /** Removes what broken commits and removals left behind. Call it at boot. Returns how many went. */
  sweep(options?: { olderThanMs?: number }): Promise<number>;
}
