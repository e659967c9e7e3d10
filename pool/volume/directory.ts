/**
 * A volume in a directory: `runs/<run_id>/` for what is committed, `staging/` beside it for what is not yet, or not any more.
 * Both are on one file system by layout, so a commit and a removal are one rename each.
 */
import { createHash, randomUUID } from "node:crypto";
import { constants } from "node:fs";
import { access, link, mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { type ByteRange, MANIFEST_FILE } from "../../shared/bucket-runs.ts";
import { AppError } from "../../shared/errors.ts";
import { isRunId } from "../../shared/ids.ts";
import { type Artifact, type Manifest, ManifestSchema, type RecordingState, type StoredManifest } from "../../shared/recording.ts";
import { mapAtOnce } from "./at-once.ts";
import { FileBody } from "./file-body.ts";
import { artifactPath, openWithin } from "./safe-path.ts";
import type { ArtifactBody, ArtifactStat, StagedFile, Volume } from "./volume.ts";

/** Several nodes can share the directory: what is younger may be another's work under way. */
const STALE_MS = 60 * 60 * 1000;
/** Files that are hashed and synced side by side: file systems sync many at the price of one. */
const AT_ONCE = 8;
const CACHED_MANIFESTS = 64;

/** Opens, or makes, the volume in this directory. */
export async function openDirectoryVolume(root: string): Promise<Volume> {
  const volume = new DirectoryVolume(root);
  await volume.prepare();
  return volume;
}

class DirectoryVolume implements Volume {
  readonly #runs: string;
  readonly #staging: string;
  /** A committed run never changes, but can go: each use looks whether the file is still the same. */
  readonly #manifests = new Map<string, { version: string; manifest: Manifest }>();

  constructor(root: string) {
    this.#runs = join(root, "runs");
    this.#staging = join(root, "staging");
  }

  async prepare(): Promise<void> {
    for (const folder of [this.#runs, this.#staging]) await mkdir(folder, { recursive: true, mode: 0o700 });
  }

  async commit(
    runId: string,
    stagedDir: string,
    files: readonly StagedFile[],
    state: RecordingState = "ready",
    owner: string | null = null,
  ): Promise<Manifest> {
    const folder = this.#folder(runId);
    if (folder === null) throw new AppError("VALIDATION_FAILED", `Cannot commit artifacts of "${runId.slice(0, 80)}": not a run id`);
    const standing = await this.manifest(runId);
    if (standing) return standing;
    const staged = join(this.#staging, `commit-${runId}-${randomUUID()}`);
    await mkdir(staged, { mode: 0o700 });
    try {
      const folders = await makeFolders(staged, files);
      const artifacts = await mapAtOnce(files, AT_ONCE, (file) => take(file, stagedDir, staged));
      const manifest = ManifestSchema.parse({ run_id: runId, state, artifacts });
      await writeSynced(join(staged, MANIFEST_FILE), JSON.stringify({ ...manifest, api_key_name: owner } satisfies StoredManifest));
      await mapAtOnce(folders, AT_ONCE, syncFolder);
      await rename(staged, folder);
      await syncFolder(this.#runs);
      return manifest;
    } catch (error) {
      await rm(staged, { recursive: true, force: true }).catch(() => {}); // the sweep at the next boot takes it
      const other = isTaken(error) ? await this.manifest(runId) : null; // committed by someone else meanwhile
      if (other) return other;
      throw error;
    }
  }

  async manifest(runId: string): Promise<Manifest | null> {
    const folder = this.#folder(runId);
    await using file = folder === null ? null : await openWithin(folder, MANIFEST_FILE);
    if (!file) return null;
    const { ino, mtimeMs } = await file.stat();
    const version = `${ino} ${mtimeMs}`;
    const cached = this.#manifests.get(runId);
    if (cached?.version === version) return cached.manifest;
    const manifest = ManifestSchema.parse(JSON.parse(await file.readFile("utf8")));
    const [oldest] = this.#manifests.keys();
    if (this.#manifests.size >= CACHED_MANIFESTS && oldest !== undefined) this.#manifests.delete(oldest);
    this.#manifests.set(runId, { version, manifest });
    return manifest;
  }

  async stat(runId: string, path: string): Promise<ArtifactStat | null> {
    const manifest = await this.manifest(runId);
    const artifact = manifest?.artifacts.find(({ name }) => name === path);
    return artifact?.bytes != null && artifact.sha256 !== null ? { size: artifact.bytes, etag: `"${artifact.sha256}"` } : null;
  }

  async open(runId: string, path: string, range?: ByteRange): Promise<ArtifactBody | null> {
    const folder = this.#folder(runId);
    const about = await this.stat(runId, path);
    if (folder === null || about === null) return null;
    const { start, end } = range ?? { start: 0, end: about.size - 1 };
    if (range && !(start >= 0 && start <= end && end < about.size)) {
      throw new AppError("RANGE_NOT_SATISFIABLE", `Bytes ${start}–${end} are not in the artifact's ${about.size}`, {
        details: { size: about.size },
      });
    }
    const file = await openWithin(folder, path);
    return file ? { ...about, body: new FileBody(file, start, end) } : null;
  }

  async remove(runId: string): Promise<boolean> {
    const folder = this.#folder(runId);
    if (folder === null) return false;
    const gone = join(this.#staging, `remove-${runId}-${randomUUID()}`);
    try {
      await rename(folder, gone);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
      throw error;
    }
    await syncFolder(this.#runs);
    await rm(gone, { recursive: true, force: true });
    return true;
  }

  async healthy(): Promise<boolean> {
    return access(this.#runs, constants.W_OK).then(
      () => true,
      () => false,
    );
  }

  async sweep({ olderThanMs = STALE_MS }: { olderThanMs?: number } = {}): Promise<number> {
    const before = Date.now() - olderThanMs;
    let swept = 0;
    for (const name of await readdir(this.#staging)) {
      const path = join(this.#staging, name);
      const about = await stat(path).catch(() => null); // another node's sweep was faster
      if (about === null || about.ctimeMs > before) continue;
      await rm(path, { recursive: true, force: true });
      swept += 1;
    }
    return swept;
  }

  #folder(runId: string): string | null {
    return isRunId(runId) ? join(this.#runs, runId) : null;
  }
}

/** Brings one file into the staging folder, without copying where the file system can, and tells what it is. */
async function take({ name, kind }: StagedFile, from: string, to: string): Promise<Artifact> {
  const path = artifactPath(to, name);
  if (path === null) throw notAName(name);
  const source = await openWithin(from, name);
  if (source === null) throw new AppError("INTERNAL", `Artifact ${name} is not in ${from}`);
  await using _ = source;
  try {
    await link(join(from, name), path);
  } catch (error) {
    if (!CANNOT_LINK.has((error as NodeJS.ErrnoException).code ?? "")) throw error;
    await using copy = await open(path, "wx", 0o600); // another file system, or one without links
    for await (const chunk of new FileBody(source, 0, Number.POSITIVE_INFINITY, { keepOpen: true })) await copy.writeFile(chunk);
  }
  await using file = await openWithin(to, name);
  if (file === null) throw new AppError("INTERNAL", `Artifact ${name} is not a plain file`);
  const hash = createHash("sha256");
  let bytes = 0;
  for await (const chunk of new FileBody(file, 0, Number.POSITIVE_INFINITY, { keepOpen: true })) {
    hash.update(chunk);
    bytes += chunk.byteLength;
  }
  await file.sync();
  return { name, kind, bytes, sha256: hash.digest("hex") };
}

const CANNOT_LINK = new Set(["EXDEV", "EPERM", "EMLINK", "ENOTSUP", "EOPNOTSUPP", "ENOSYS"]);

/** Makes the folders that the files need. Returns all of them, the root too, parents first. */
async function makeFolders(root: string, files: readonly StagedFile[]): Promise<string[]> {
  const folders = new Set([root]);
  for (const { name } of files) {
    if (artifactPath(root, name) === null || name === MANIFEST_FILE) throw notAName(name);
    const parts = name.split("/").slice(0, -1);
    for (let depth = 1; depth <= parts.length; depth++) folders.add(join(root, ...parts.slice(0, depth)));
  }
  for (const folder of folders) if (folder !== root) await mkdir(folder, { mode: 0o700 });
  return [...folders];
}

const notAName = (name: string) => new AppError("INTERNAL", `"${name.slice(0, 300)}" cannot be the name of an artifact`);

/** `rename` onto a folder that holds something. */
const isTaken = (error: unknown): boolean => ["ENOTEMPTY", "EEXIST"].includes((error as NodeJS.ErrnoException).code ?? "");

async function writeSynced(path: string, text: string): Promise<void> {
  await using file = await open(path, "wx", 0o600);
  await file.writeFile(text);
  await file.sync();
}

/** Makes the names in a folder survive a power cut. */
async function syncFolder(path: string): Promise<void> {
  await using folder = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  await folder.sync();
}
