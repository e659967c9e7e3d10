/** Playbooks from YAML, from inline objects, and from the files of a folder. */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, type Stats, statSync } from "node:fs";
import { join } from "node:path";
import { ACTION_NAMES, COMPOSED_ACTIONS } from "../../shared/action.ts";
import { AppError, flatIssues, formatPath, type Issue, validationFailed } from "../../shared/errors.ts";
import { PLAYBOOK_ID } from "../../shared/ids.ts";
import { type Playbook, PlaybookSchema } from "../../shared/playbook.ts";
import type { Log } from "../telemetry/log.ts";
import { judgeLiterals } from "./literals.ts";
import { findOddity, type LineOf, MAX_YAML_CHARS, readYaml } from "./yaml-source.ts";

const MAX_ISSUES = 50;
const linesOf = new WeakMap<Playbook, LineOf>();

/**
 * YAML text or a plain object → a playbook.
 * @throws VALIDATION_FAILED: `details.issues` names each field by its path, and in YAML by its 1-based line.
 */
export function parsePlaybook(source: string | object, what = "The playbook"): Playbook {
  const { value, lineOf } = typeof source === "string" ? readYaml(source, what) : { value: plainObject(source, what), lineOf: noLines };
  const parsed = PlaybookSchema.safeParse(value);
  if (!parsed.success) {
    const issues = flatIssues(parsed.error.issues).slice(0, MAX_ISSUES); // a hostile one can have as many as it has bytes
    judgeLiterals(value, (_check, path, message) => issues.length < MAX_ISSUES && issues.push({ path: [...path], message }));
    throw validationFailed(
      what,
      issues.map((issue) => explain(issue, value, lineOf)),
    );
  }
  if (typeof source === "string") linesOf.set(parsed.data, lineOf);
  return parsed.data;
}

/** The line of a field in the YAML that the playbook was parsed from; undefined when it came as an object. */
export const lineInPlaybook = (playbook: Playbook, path: readonly PropertyKey[]): number | undefined => linesOf.get(playbook)?.(path);

const noLines: LineOf = () => undefined;

function plainObject(source: object, what: string): object {
  const odd = findOddity(source);
  if (odd) throw validationFailed(what, [{ path: formatPath(odd.path), message: odd.message }]);
  return source;
}

/** Adds the line, and says more where the schema's own words would leave an author guessing. */
function explain({ path, message }: { path: PropertyKey[]; message: string }, value: unknown, lineOf: LineOf): Issue {
  const line = lineOf(path);
  const better = betterMessage(path, message, at(value, path));
  return { path: formatPath(path).slice(0, 300), message: better, ...(line === undefined ? {} : { line }) };
}

function betterMessage(path: readonly PropertyKey[], message: string, found: unknown): string {
  const known = ACTION_NAMES.join(", ");
  if (path.at(-1) === "action" && found === undefined) return `Required; known are ${known}`;
  if (path.at(-1) === "action" && typeof found === "string") {
    return COMPOSED_ACTIONS.some((each) => each === found)
      ? `A sequence cannot hold a ${found}`
      : `Unknown action "${found.slice(0, 50)}"; known are ${known}`;
  }
  const [only, ...others] = typeof found === "object" && found !== null ? Object.entries(found) : [];
  if (only && others.length === 0 && only[1] === null && message !== "Unknown field") {
    return `${message}. A value that begins with a placeholder needs quotes: "{${only[0].slice(0, 50)}}"`;
  }
  return message;
}

const at = (value: unknown, path: readonly PropertyKey[]): unknown =>
  path.reduce<unknown>(
    (each, key) => (typeof each === "object" && each !== null ? (each as Record<PropertyKey, unknown>)[key] : undefined),
    value,
  );

/** A file that is no playbook: it is left out, and listed here. */
export type Problem = { file: string; message: string; issues: Issue[] };

/** The playbooks of a folder, as its files are now. */
export type Library = {
  /** All that load, by id. */
  list(): Playbook[];
  get(id: string): Playbook | null;
  /** What the playbook of this id is read from: the file's text, and the text that stands in its place, if one does. */
  source(id: string): Source | null;
  /** Files that do not load. */
  problems(): Problem[];
};
/** `fileChangedAt`: when the file was last written. `unreadable`: the version that would stand in place of the file if this node could read it. */
export type Source = { fileText: string; fileDigest: string; fileChangedAt: Date; text: string; unreadable: number | null };

/** Says what is to be read in place of a file whose text has this digest; null: the file itself. */
export type StandIn = (id: string, fileDigest: string) => { version: number; text: string } | null;

/** `standIn`: the version that `playbook` was read from in place of the file. */
type Loaded = { version: string; source: Source | null; standIn: number | null; playbook: Playbook | null; problem: Problem | null };

/** The library of `dir`. A file is read again when its time or size changes, so an edit counts from the next run on. A folder that is not there is empty. */
export async function openLibrary(dir: string, log: Log, standInFor: StandIn = () => null): Promise<Library> {
  const loaded = new Map<string, Loaded>();

  /** A version that this node cannot read does less harm than none at all: then it is the file again. */
  const withStandIn = (file: string, own: Loaded): Loaded => {
    const id = file.slice(0, -".yaml".length);
    const standIn = own.source && standInFor(id, own.source.fileDigest);
    if (!own.source || !standIn) return own;
    try {
      const playbook = parsePlaybook(standIn.text, `${file}, version ${standIn.version}`);
      return { ...own, source: { ...own.source, text: standIn.text }, standIn: standIn.version, playbook, problem: null };
    } catch (error) {
      log.warn("A version of a playbook cannot be read; its file is used", { file, version: standIn.version, error });
      return { ...own, source: { ...own.source, unreadable: standIn.version }, standIn: standIn.version };
    }
  };

  const load = (file: string): Loaded | null => {
    const stats = statOf(join(dir, file));
    if (!stats?.isFile()) {
      loaded.delete(file);
      return null;
    }
    const version = `${stats.mtimeMs} ${stats.ctimeMs} ${stats.size} ${stats.ino}`;
    const known = loaded.get(file);
    const standIn = known?.source ? (standInFor(file.slice(0, -".yaml".length), known.source.fileDigest)?.version ?? null) : null;
    if (known?.version === version && known.standIn === standIn) return known;
    const fresh = withStandIn(file, { version, standIn: null, ...readPlaybook(dir, file, stats) });
    if (fresh.problem) log.warn("A playbook file is left out", { file, problem: fresh.problem.message, issues: fresh.problem.issues });
    loaded.set(file, fresh);
    return fresh;
  };

  const all = (): Loaded[] => {
    const files = playbookFiles(dir);
    const there = new Set(files);
    for (const file of loaded.keys()) if (!there.has(file)) loaded.delete(file);
    return files.flatMap((file) => load(file) ?? []);
  };

  const library: Library = {
    list: () => all().flatMap(({ playbook }) => playbook ?? []),
    get: (id) => (PLAYBOOK_ID.test(id) ? (load(`${id}.yaml`)?.playbook ?? null) : null),
    source: (id) => (PLAYBOOK_ID.test(id) ? (load(`${id}.yaml`)?.source ?? null) : null),
    problems: () => all().flatMap(({ problem }) => problem ?? []),
  };
  library.list(); // warns at start, not at the first run
  return library;
}

function readPlaybook(dir: string, file: string, stats: Stats): Pick<Loaded, "source" | "playbook" | "problem"> {
  try {
    const id = file.slice(0, -".yaml".length);
    if (!file.endsWith(".yaml") || !PLAYBOOK_ID.test(id)) {
      throw validationFailed(file, [{ path: "", message: "The file's name is not an id (a-z, 0-9, _ and -) and .yaml" }]);
    }
    if (stats.size > MAX_YAML_CHARS * 4) throw validationFailed(file, [{ path: "", message: `Longer than ${MAX_YAML_CHARS} characters` }]);
    const text = readFileSync(join(dir, file), "utf8");
    const playbook = parsePlaybook(text, file);
    if (playbook.id !== id) {
      const line = lineInPlaybook(playbook, ["id"]);
      throw validationFailed(file, [{ path: "id", message: `Must be "${id}", as the file is named`, ...(line ? { line } : {}) }]);
    }
    return {
      source: {
        fileText: text,
        fileDigest: createHash("sha256").update(text).digest("hex"),
        fileChangedAt: stats.mtime,
        text,
        unreadable: null,
      },
      playbook,
      problem: null,
    };
  } catch (error) {
    const issues = error instanceof AppError && Array.isArray(error.details?.issues) ? (error.details.issues as Issue[]) : [];
    return { source: null, playbook: null, problem: { file, message: error instanceof Error ? error.message : String(error), issues } };
  }
}

/** File names in the order of ties; hidden files and other kinds of files are nobody's playbook. */
function playbookFiles(dir: string): string[] {
  try {
    return readdirSync(dir)
      .filter((file) => /\.ya?ml$/i.test(file) && !file.startsWith("."))
      .sort();
  } catch (cause) {
    if (isMissing(cause)) return [];
    throw new AppError("INTERNAL", "The playbooks' folder cannot be read", { cause });
  }
}

function statOf(path: string): Stats | null {
  try {
    return statSync(path);
  } catch (cause) {
    if (isMissing(cause)) return null;
    throw new AppError("INTERNAL", "A playbook's file cannot be read", { cause });
  }
}

const isMissing = (error: unknown): boolean =>
  error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ENOTDIR");
