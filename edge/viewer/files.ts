/** The viewer's static files, fetched from a node once, whole, and kept: an edge has no file system. */
import { AppError } from "../../shared/errors.ts";
import { ViewerSchema } from "../../shared/viewer.ts";
import type { Log } from "../log.ts";
import type { Asker } from "../nodes/node-client.ts";
import type { PoolClient } from "../nodes/pool-client.ts";
import { fileHead } from "./policy.ts";

type Bytes = Uint8Array<ArrayBuffer>;
/** `gzip`: null where it would not be smaller. `etag` is of the plain bytes. `head`: what browsers may do with it. */
export type ViewerFile = { bytes: Bytes; gzip: Bytes | null; type: string; etag: string; immutable: boolean; head: Record<string, string> };
/** By its path below the viewer's folder; null: there is none. @throws POOL_UNREACHABLE, UPSTREAM_TIMEOUT */
export type ViewerFiles = (name: string, asker: Asker) => Promise<ViewerFile | null>;

const HASHED_NAME = /[.-][A-Za-z0-9_-]{8}\.[a-z]+$/;

type Deps = { pool: Pick<PoolClient, "any">; log: Log };

export function createViewerFiles(deps: Deps): ViewerFiles {
  let kept: Promise<Map<string, ViewerFile>> | null = null;
  return async (name, asker) => {
    kept ??= loadFiles(deps, asker).catch((error) => {
      kept = null; // the next request tries again
      throw error;
    });
    return (await kept).get(name) ?? null;
  };
}

async function loadFiles({ pool, log }: Deps, asker: Asker): Promise<Map<string, ViewerFile>> {
  const viewer = ViewerSchema.safeParse((await pool.any("GET", "/viewer", { asker })).value);
  if (!viewer.success) {
    const details = { reason: "garbage" };
    throw new AppError("POOL_UNREACHABLE", "A node did not give the trace viewer", { cause: viewer.error, details, retryAfterS: 1 });
  }
  const files = await Promise.all(viewer.data.files.map(async (file) => [file.name, await toFile(file)] as const));
  log.info("The trace viewer was fetched from a node", { version: viewer.data.version, files: files.length });
  return new Map(files);
}

async function toFile({ name, type, base64 }: { name: string; type: string; base64: string }): Promise<ViewerFile> {
  const bytes = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  const etag = [...digest.subarray(0, 16)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const gzip = await compressed(bytes);
  const head = await fileHead(type, bytes);
  return { bytes, gzip: gzip.byteLength < bytes.byteLength ? gzip : null, type, etag, immutable: HASHED_NAME.test(name), head };
}

async function compressed(bytes: Bytes): Promise<Bytes> {
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
