/** Versions of playbooks in the store, and which of them stands in place of a file. */
import { AppError } from "../../shared/errors.ts";
import type { PlaybookVersion } from "../../shared/proposal.ts";
import type { Library, Source, StandIn } from "../playbook/load.ts";
import {
  addVersion,
  listVersions,
  lockPlaybook,
  PLAYBOOKS_CHANNEL,
  readHeads,
  rejectVersions,
  setHead,
  type VersionRow,
} from "../store/proposals.ts";
import type { Sql, Store } from "../store/sql.ts";
import type { Log } from "../telemetry/log.ts";

export interface Versions extends AsyncDisposable {
  /** From memory: asked at each run. */
  standIn: StandIn;
  /** What the store says now. */
  refresh(): Promise<void>;
}

/** Heads are few, and read anew whenever one changes. Until this node has heard of it, a moment later, it runs what it ran. */
export async function openVersions(store: Store, log: Log): Promise<Versions> {
  let heads = new Map<string, { version: number; text: string }>();
  const keyOf = (id: string, fileDigest: string) => `${fileDigest} ${id}`;
  const read = async () => {
    heads = new Map(
      (await readHeads(store)).map(({ playbook_id, file_digest, version, source }) => [
        keyOf(playbook_id, file_digest),
        { version, text: source },
      ]),
    );
  };
  let reading = Promise.resolve();
  const refresh = () => {
    reading = reading.then(read, read);
    return reading;
  };
  const listening = await store.listen(PLAYBOOKS_CHANNEL, () => {
    refresh().catch((error: unknown) => log.warn("Versions of playbooks could not be read; those that were known are used", { error }));
  });
  await refresh();
  return {
    standIn: (id, fileDigest) => heads.get(keyOf(id, fileDigest)) ?? null,
    refresh,
    [Symbol.asyncDispose]: () => listening[Symbol.asyncDispose](),
  };
}

/** The version that runs: the one in place of the file, or the file as one. Call under `lockPlaybook`. */
export async function currentVersion(tx: Sql, id: string, { fileDigest, fileText }: Source, at: Date): Promise<VersionRow> {
  const current = await currentOf(tx, id, fileDigest);
  if (current) return current;
  const file = { playbook_id: id, origin: "file" as const, based_on: null, proposal_id: null, file_digest: fileDigest, source: fileText };
  return { ...file, version: await addVersion(tx, file, at), created_at: at };
}

async function currentOf(sql: Sql, id: string, fileDigest: string): Promise<VersionRow | null> {
  const versions = (await listVersions(sql, id)).filter(({ file_digest }) => file_digest === fileDigest);
  const head = (await readHeads(sql)).find(({ playbook_id, file_digest }) => playbook_id === id && file_digest === fileDigest);
  return versions.find(({ version, origin }) => (head ? version === head.version : origin === "file")) ?? null;
}

/** Newest first. A file that was never changed here is the only version there is. */
export async function readVersions({ store, library }: Deps, id: string): Promise<PlaybookVersion[]> {
  const source = sourceOf(library, id);
  const rows = await listVersions(store, id);
  const current = await currentOf(store, id, source.fileDigest);
  const isNew = current === null;
  const file: VersionRow = {
    playbook_id: id,
    version: (rows[0]?.version ?? 0) + 1,
    origin: "file",
    based_on: null,
    proposal_id: null,
    file_digest: source.fileDigest,
    source: source.fileText,
    created_at: new Date(),
  };
  const running = current ?? file;
  return [...(isNew ? [file] : []), ...rows].map(({ version, origin, based_on, proposal_id, source: yaml, created_at }) => ({
    version,
    origin,
    based_on,
    proposal_id,
    created_at: created_at.toISOString(),
    runs_now: version === running.version,
    yaml,
  }));
}

type Deps = { store: Store; library: Library; versions: Versions };

/**
 * Makes `wanted` the version that runs; without it the one that the running one was made from. Proposals that made what is taken back are rejected.
 * @throws NOT_FOUND: no such version · CONFLICT: it was made from another text of the file, or there is none before
 */
export async function rollBack(deps: Deps, id: string, wanted: number | null): Promise<PlaybookVersion[]> {
  const { store, library, versions } = deps;
  const source = sourceOf(library, id);
  const at = new Date();
  await store.transaction(async (tx) => {
    await lockPlaybook(tx, id);
    const all = await listVersions(tx, id);
    const current = await currentOf(tx, id, source.fileDigest);
    const target = wanted ?? current?.based_on ?? null;
    if (target === null) throw new AppError("CONFLICT", "There is nothing to roll back: the file itself is what runs");
    const found = all.find(({ version }) => version === target);
    if (!found) throw new AppError("NOT_FOUND", `The playbook has no version ${target}`);
    if (found.file_digest !== source.fileDigest)
      throw new AppError("CONFLICT", `Version ${target} was made from another text of the file: install that text, and it runs`);
    if (found.version === current?.version) return;
    await setHead(tx, id, source.fileDigest, found.origin === "file" ? null : found.version, at);
    await rejectVersions(tx, id, madeSince(all, current, found.version), at);
  });
  await versions.refresh();
  return await readVersions(deps, id);
}

/** From the running one back to the one that is wanted; none where it is not among its forebears. */
function madeSince(all: readonly VersionRow[], from: VersionRow | null, to: number): number[] {
  const path: number[] = [];
  for (let each = from; each && each.version !== to; ) {
    path.push(each.version);
    const { based_on } = each;
    each = all.find(({ version }) => version === based_on) ?? null;
    if (each === null) return [];
  }
  return path;
}

/** @throws NOT_FOUND */
export function sourceOf(library: Library, id: string): Source {
  const source = library.source(id);
  if (!source) throw new AppError("NOT_FOUND", "No playbook has this id");
  return source;
}
