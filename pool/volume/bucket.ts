/**
 * A volume in a bucket: `runs/<run_id>/…` for artifacts, `manifest.json` there, written last, is the commit. `staging/<run_id>` says that
 * somebody is at work on that run's objects: what is left of a broken commit is found without a look at all that is stored.
 */
import { createHash } from "node:crypto";
import { type Bucket, type BucketCredentials, type BucketPlace, createBucket, unwell, xmlValues } from "../../shared/bucket.ts";
import {
  type BucketRuns,
  type ByteRange,
  createBucketRuns,
  MANIFEST_FILE,
  ObjectBody,
  runKey,
  type StoredArtifact,
} from "../../shared/bucket-runs.ts";
import { AppError } from "../../shared/errors.ts";
import { isRunId } from "../../shared/ids.ts";
import {
  type Artifact,
  isArtifactPath,
  type Manifest,
  ManifestSchema,
  type RecordingState,
  type StoredManifest,
} from "../../shared/recording.ts";
import { createGate, mapAtOnce } from "./at-once.ts";
import { openWithin } from "./safe-path.ts";
import { type Uploaded, uploadFile } from "./upload.ts";
import type { ArtifactBody, ArtifactStat, StagedFile, Volume } from "./volume.ts";

/** Longer than any attempt to commit takes; each attempt begins anew. */
const STALE_MS = 24 * 60 * 60 * 1000;
/** Requests side by side, of one commit or removal. */
const AT_ONCE = 8;
/** Pieces of files in memory, of all commits: 32 MiB. */
const PIECES_AT_ONCE = 4;
const PROBE_LIMIT_MS = 3_000;
/** Readiness is open to anybody: it must not become a way to keep the bucket busy. */
const PROBED_MS = 2_000;

type Listed = { key: string; bytes: number; etag: string; modified: Date };

/** Opens the volume. A bucket that is away is waited for by whoever needs it. @throws POOL_UNREACHABLE when it answers, but will not have us */
export async function openBucketVolume(place: BucketPlace, credentials: BucketCredentials): Promise<Volume> {
  const volume = new BucketVolume(createBucket(place, credentials));
  await volume.probe().catch((error: unknown) => {
    if (error instanceof AppError && error.details?.reason === "bucket_denied") {
      throw new AppError("POOL_UNREACHABLE", `Cannot use the bucket of VOLUME_URL: ${error.message}`, {
        cause: error,
        details: error.details,
      });
    }
  });
  return volume;
}

class BucketVolume implements Volume {
  readonly #bucket: Bucket;
  readonly #runs: BucketRuns;
  readonly #gate = createGate(PIECES_AT_ONCE);
  /** Commits under way, by run: whoever tries again joins the first, so that nobody writes into what another has measured. */
  readonly #commits = new Map<string, Promise<Manifest>>();
  #probed = { atMs: 0, healthy: Promise.resolve(true) };

  constructor(bucket: Bucket) {
    this.#bucket = bucket;
    this.#runs = createBucketRuns(bucket);
  }

  async probe(): Promise<void> {
    const query = { "list-type": "2", "max-keys": "1", prefix: `${this.#bucket.place.prefix}staging/` };
    const answer = await this.#bucket.request({ method: "GET", key: null, query, limitMs: PROBE_LIMIT_MS });
    if (answer === null) throw unwell("denied", "is not there");
    await answer.text();
  }

  healthy(): Promise<boolean> {
    if (Date.now() - this.#probed.atMs >= PROBED_MS) {
      const healthy = this.probe().then(
        () => true,
        () => false,
      );
      this.#probed = { atMs: Date.now(), healthy };
    }
    return this.#probed.healthy;
  }

  commit(
    runId: string,
    stagedDir: string,
    files: readonly StagedFile[],
    state: RecordingState = "ready",
    owner: string | null = null,
  ): Promise<Manifest> {
    const underWay = this.#commits.get(runId);
    if (underWay) return underWay;
    const commit = this.#commit(runId, stagedDir, files, { state, owner }).finally(() => this.#commits.delete(runId));
    this.#commits.set(runId, commit);
    return commit;
  }

  async #commit(
    runId: string,
    stagedDir: string,
    files: readonly StagedFile[],
    { state, owner }: { state: RecordingState; owner: string | null },
  ): Promise<Manifest> {
    if (!isRunId(runId)) throw new AppError("VALIDATION_FAILED", `Cannot commit artifacts of "${runId.slice(0, 80)}": not a run id`);
    const standing = await this.manifest(runId);
    if (standing) return standing;
    const names = new Set<string>();
    for (const { name } of files) {
      if (!isArtifactPath(name) || name === MANIFEST_FILE || names.has(name)) {
        throw new AppError("INTERNAL", `"${name.slice(0, 300)}" cannot be the name of an artifact`);
      }
      names.add(name);
    }
    await this.#put(`staging/${runId}`, "");
    const sent = await mapAtOnce(files, AT_ONCE, async ({ name, kind }) => {
      await using file = await openWithin(stagedDir, name);
      if (file === null) throw new AppError("INTERNAL", `Artifact ${name} is not in ${stagedDir}`);
      const uploaded = await uploadFile(this.#bucket, runKey(runId, name), file, this.#gate);
      return { name, kind, ...uploaded };
    });
    await this.#confirm(runId, sent);
    const artifacts: Artifact[] = sent.map(({ name, kind, bytes, sha256 }) => ({ name, kind, bytes, sha256 }));
    const manifest = ManifestSchema.parse({ run_id: runId, state, artifacts });
    await this.#put(runKey(runId, MANIFEST_FILE), JSON.stringify({ ...manifest, api_key_name: owner } satisfies StoredManifest));
    await this.#delete(`staging/${runId}`).catch(() => {}); // the sweep takes it
    return manifest;
  }

  /** The bucket must have what was sent, by size and hash, and nothing of an earlier attempt beside it. Where its tag is no MD5, the bytes are read back. */
  async #confirm(runId: string, sent: readonly (Uploaded & { name: string })[]): Promise<void> {
    const stored = new Map<string, Listed>();
    for await (const object of this.#list(runKey(runId, ""))) stored.set(object.key, object);
    await mapAtOnce(sent, AT_ONCE, async ({ name, bytes, sha256, etag }) => {
      const key = runKey(runId, name);
      const object = stored.get(key);
      stored.delete(key);
      if (object?.bytes !== bytes || (object.etag !== etag && (await this.#hashOf(key)) !== sha256)) {
        throw unwell("garbage", `has something else than was sent as ${name}`);
      }
    });
    await mapAtOnce([...stored.keys()], AT_ONCE, (key) => this.#delete(key));
  }

  async #hashOf(key: string): Promise<string | null> {
    const response = await this.#bucket.request({ method: "GET", key });
    if (response === null) return null;
    const hash = createHash("sha256");
    for await (const chunk of new ObjectBody(response, null)) hash.update(chunk);
    return hash.digest("hex");
  }

  async manifest(runId: string): Promise<Manifest | null> {
    const found = await this.#runs.manifest(runId);
    return found && ManifestSchema.parse(found);
  }

  async stat(runId: string, path: string): Promise<ArtifactStat | null> {
    const artifact = await this.#runs.find(runId, path);
    return artifact && statOf(artifact);
  }

  async open(runId: string, path: string, range?: ByteRange): Promise<ArtifactBody | null> {
    const artifact = await this.#runs.find(runId, path);
    const body = artifact && (await this.#runs.open(runId, artifact, range ?? null));
    return artifact && body && { ...statOf(artifact), body };
  }

  async remove(runId: string): Promise<boolean> {
    if (!isRunId(runId)) return false;
    const keys: string[] = [];
    for await (const { key } of this.#list(runKey(runId, ""))) keys.push(key);
    if (keys.length === 0) return false;
    await this.#put(`staging/${runId}`, "");
    await this.#delete(runKey(runId, MANIFEST_FILE)); // first: from here on nobody sees anything of the run
    this.#runs.forget(runId);
    await mapAtOnce(keys, AT_ONCE, (key) => this.#delete(key));
    await this.#delete(`staging/${runId}`);
    return true;
  }

  async sweep({ olderThanMs = STALE_MS }: { olderThanMs?: number } = {}): Promise<number> {
    const before = Date.now() - olderThanMs;
    let swept = 0;
    for await (const { key, modified } of this.#list("staging/")) {
      const runId = key.slice("staging/".length);
      if (!isRunId(runId) || modified.getTime() > before || this.#commits.has(runId)) continue;
      if ((await this.manifest(runId)) === null) await this.remove(runId);
      await this.#delete(key);
      swept += 1;
    }
    return swept;
  }

  async #put(key: string, text: string): Promise<void> {
    const body = Buffer.from(text);
    const hash = (algorithm: string) => createHash(algorithm).update(body);
    const headers = { "Content-MD5": hash("md5").digest("base64"), "X-Amz-Content-Sha256": hash("sha256").digest("hex") };
    const answer = await this.#bucket.request({ method: "PUT", key, headers, body });
    await answer?.text();
  }

  async #delete(key: string): Promise<void> {
    const answer = await this.#bucket.request({ method: "DELETE", key });
    await answer?.text();
  }

  /** Objects below the prefix, a page at a time. */
  async *#list(prefix: string): AsyncGenerator<Listed> {
    const own = this.#bucket.place.prefix;
    let token: string | undefined;
    do {
      const query = { "list-type": "2", prefix: own + prefix, ...(token === undefined ? {} : { "continuation-token": token }) };
      const answer = await this.#bucket.request({ method: "GET", key: null, query });
      const xml = (await answer?.text()) ?? "";
      for (const entry of xml.match(/<Contents>.*?<\/Contents>/gs) ?? []) {
        const [key = "", bytes, etag = "", modified = ""] = ["Key", "Size", "ETag", "LastModified"].map(
          (name) => xmlValues(entry, name)[0],
        );
        if (!key.startsWith(own + prefix)) throw unwell("garbage", "lists what was not asked for");
        yield { key: key.slice(own.length), bytes: Number(bytes), etag: etag.replaceAll('"', ""), modified: new Date(modified) };
      }
      token = xmlValues(xml, "NextContinuationToken")[0];
    } while (token !== undefined);
  }
}

const statOf = ({ bytes, sha256 }: StoredArtifact): ArtifactStat => ({ size: bytes, etag: `"${sha256}"` });
