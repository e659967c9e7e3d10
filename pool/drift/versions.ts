/** Versions of playbooks in the store, and which of them stands in place of a file. */
import { AppError } from "../../shared/errors.ts";
import type { PlaybookVersion } from "../../shared/proposal.ts";
import type { Library, Source, StandIn } from "../playbook/load.ts";
import {
  addVersion,
  type Forebear,
  listVersions,
  lockPlaybook,
  PLAYBOOKS_CHANNEL,
  readCurrent,
  readHeads,
  readLine,
  setHead,
  type VersionRow,
} from "../store/playbook-versions.ts";
import { acceptAgain, type ProposalRow, takeBack } from "../store/proposals.ts";
import type { Sql, Store } from "../store/sql.ts";
import type { Log } from "../telemetry/log.ts";

export interface Versions extends AsyncDisposable {
  /** From memory: asked at each run. */
  standIn: StandIn;
  /** What the store says now. Never throws: where the store is away for a moment, the next word of it does. */
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
    reading = reading
      .then(read)
      .catch((error: unknown) => log.warn("Versions of playbooks could not be read; those that were known are used", { error }));
    return reading;
  };
  const listening = await store.listen(PLAYBOOKS_CHANNEL, () => void refresh());
  await read();
  return {
    standIn: (id, fileDigest) => heads.get(keyOf(id, fileDigest)) ?? null,
    refresh,
    [Symbol.asyncDispose]: () => listening[Symbol.asyncDispose](),
  };
}

/** The version that runs: the one in place of the file, or the file as one. Call under `lockPlaybook`. */
export async function currentVersion(tx: Sql, id: string, source: Source): Promise<VersionRow> {
  const current = await readCurrent(tx, id, source.fileDigest);
  if (current) return current;
  const file = unsavedFile(id, source, []);
  return { ...file, version: await addVersion(tx, file, file.created_at) };
}

/** The version that runs, as the store has it, with what it was made from. */
export async function currentLine(sql: Sql, id: string, { fileDigest }: Source): Promise<Forebear[]> {
  const current = await readCurrent(sql, id, fileDigest);
  return current ? await readLine(sql, id, current.version) : [];
}

/** Was a version of the line made of the proposal? Of those that are not kept any more, what is known is that it was accepted before. */
export function isIn(line: readonly Forebear[], { proposal_id, status, version }: ProposalRow): boolean {
  const forgotten = line.at(-1)?.based_on ?? 0;
  return line.some((each) => each.proposal_id === proposal_id) || (status === "accepted" && version !== null && version <= forgotten);
}

/** A file from which nothing was made yet, as the version that it will be. */
const unsavedFile = (id: string, source: Source, rows: readonly VersionRow[]): VersionRow => ({
  playbook_id: id,
  version: (rows[0]?.version ?? 0) + 1,
  origin: "file",
  based_on: null,
  proposal_id: null,
  file_digest: source.fileDigest,
  source: source.fileText,
  created_at: source.fileChangedAt,
});

/** Newest first. A file that was never changed here is the only version there is. */
export async function readVersions({ store, library }: Deps, id: string): Promise<PlaybookVersion[]> {
  const source = sourceOf(library, id);
  const rows = await listVersions(store, id);
  const current = await readCurrent(store, id, source.fileDigest);
  const fileVersion = rows.find(({ origin, file_digest }) => origin === "file" && file_digest === source.fileDigest) ?? null;
  const known = current && current.version === source.unreadable ? fileVersion : current;
  const file = unsavedFile(id, source, rows);
  const running = known ?? file;
  return [...(known ? [] : [file]), ...rows].map(({ version, origin, based_on, proposal_id, source: yaml, created_at }) => ({
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
 * Makes `wanted` the version that runs; without it the one that the running one was made from. Proposals that made what is taken back are rejected, those
 * that it has again are accepted.
 * @throws NOT_FOUND: no such version · CONFLICT: it was made from another text of the file, or there is none before
 */
export async function rollBack(deps: Deps, id: string, wanted: number | null): Promise<PlaybookVersion[]> {
  const { store, library, versions } = deps;
  const source = sourceOf(library, id);
  const at = new Date();
  await store.transaction(async (tx) => {
    await lockPlaybook(tx, id);
    const all = await listVersions(tx, id);
    const current = await readCurrent(tx, id, source.fileDigest);
    const target = wanted ?? current?.based_on ?? null;
    if (target === null) throw new AppError("CONFLICT", "There is nothing to roll back: the file itself is what runs");
    const found = all.find(({ version }) => version === target);
    if (!found && !current && target === unsavedFile(id, source, all).version) return;
    if (!found) throw new AppError("NOT_FOUND", `The playbook has no version ${target}`);
    if (found.file_digest !== source.fileDigest)
      throw new AppError("CONFLICT", `Version ${target} was made from another text of the file: install that text, and it runs`);
    if (found.version === current?.version) return;
    const [before, after] = [current ? await readLine(tx, id, current.version) : [], await readLine(tx, id, found.version)];
    await setHead(tx, id, source.fileDigest, found.origin === "file" ? null : found.version, at);
    await takeBack(tx, without(before, after), at);
    await acceptAgain(tx, without(after, before), at);
  });
  await versions.refresh();
  return await readVersions(deps, id);
}

type Made = { proposal_id: string; version: number };
/** What proposals have made of the one line, and not of the other. */
function without(line: readonly Forebear[], other: readonly Forebear[]): Made[] {
  const ids = other.map(({ proposal_id }) => proposal_id);
  return line.flatMap(({ proposal_id, version }) => (proposal_id === null || ids.includes(proposal_id) ? [] : { proposal_id, version }));
}

/** @throws NOT_FOUND */
export function sourceOf(library: Library, id: string): Source {
  const source = library.source(id);
  if (!source) throw new AppError("NOT_FOUND", "No playbook has this id");
  return source;
}
