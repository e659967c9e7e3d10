/** The action log: one JSON file per action in the run's own folder, written in the background, in order. */
import { mkdir, open, readdir, rename, stat, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import type { Action, Selector } from "../../shared/action.ts";
import type { ActionRecord } from "../../shared/event.ts";
import type { Artifact } from "../../shared/recording.ts";
import { type Clean, cleanDeep, createClean } from "./clean.ts";
import { fileChunks, openPlain, writeAll } from "./file-chunks.ts";
import { actionFileName } from "./names.ts";
import { safeParams } from "./summary.ts";
import { warnOnce } from "./warn.ts";

export const ACTIONS_FOLDER = "actions";
export const ACTION_LOG_FILE = "action_log.json";
const PREVIEW_CHARS = 240;
const TEXT_CHARS = 2_000;

export type ActionLogEntry = { record: ActionRecord; selector: Selector | null; params: Action["params"] };

/** No method throws. */
export type ActionLog = {
  write(entry: ActionLogEntry): void;
  /** Resolves when all is on disk, and in `action_log.json` once more. Idempotent. */
  drain(): Promise<void>;
  /** What is on disk. */
  artifacts(): Pick<Artifact, "name" | "kind" | "bytes">[];
};

export type ActionLogOptions = {
  /** The run's own folder; `openRunFolder` makes one. */
  dir: string;
  /** Stands in `action_log.json`; else the folder's name does. */
  runId?: string;
  /** Replaces secrets; applied to every text that is written. */
  mask?: Clean;
  /** Hears of what could not be written. */
  warn: (error: unknown) => void;
};

/** @throws if the folder cannot be made */
export async function openActionLog({
  dir,
  runId = basename(dir),
  mask = (text) => text,
  warn: listener,
}: ActionLogOptions): Promise<ActionLog> {
  await mkdir(join(dir, ACTIONS_FOLDER), { recursive: true, mode: 0o700 });
  const warn = warnOnce(listener);
  const clean = createClean(mask, TEXT_CHARS);
  const files = new Map<string, number>();
  let collectedBytes: number | null = null;
  let tail: Promise<void> = Promise.resolve();
  const then = (what: string, work: () => Promise<void>): Promise<void> => {
    tail = tail.then(work).catch((error: unknown) => warn(what, error));
    return tail;
  };
  return {
    write(entry) {
      try {
        const { seq, tool, action } = entry.record;
        const name = actionFileName(seq, tool, action);
        const text = Buffer.from(`${JSON.stringify(cleanDeep(toFile(entry, mask), clean), null, 2)}\n`);
        void then("An action could not be logged", async () => {
          await writeWhole(join(dir, ACTIONS_FOLDER, name), text);
          files.set(name, text.byteLength);
        });
      } catch (error) {
        warn("An action could not be logged", error);
      }
    },
    drain: () =>
      then(`${ACTION_LOG_FILE} could not be written`, async () => {
        collectedBytes = await collectActionLog(dir, runId);
      }),
    artifacts: () => [
      ...[...files].map(([name, bytes]) => ({ name: `${ACTIONS_FOLDER}/${name}`, kind: "action" as const, bytes })),
      ...(collectedBytes === null ? [] : [{ name: ACTION_LOG_FILE, kind: "action_log" as const, bytes: collectedBytes }]),
    ],
  };
}

/** What stands in an action's file. */
function toFile({ record, selector, params }: ActionLogEntry, mask: Clean) {
  const { seq, step, tool, action, summary, at, duration_ms, success, result_text, error, url } = record;
  const result = result_text === null ? null : mask(result_text);
  return {
    seq,
    step,
    tool,
    action,
    selector,
    input: safeParams({ action, params } as Pick<Action, "action" | "params">),
    summary,
    started_at: at,
    finished_at: new Date(Date.parse(at) + duration_ms).toISOString(),
    duration_ms,
    success,
    result: result === null ? null : { preview: result.slice(0, PREVIEW_CHARS).toWellFormed(), total_chars: result.length },
    error,
    url,
  };
}

/** Writes `action_log.json`, `{run_id, actions[]}`, from the files of the actions, in constant memory. Returns its size. */
export async function collectActionLog(dir: string, runId: string): Promise<number> {
  const names = (await readdir(join(dir, ACTIONS_FOLDER))).filter((name) => name.endsWith(".json"));
  names.sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10) || (a < b ? -1 : 1));
  const path = join(dir, ACTION_LOG_FILE);
  {
    await using file = await open(`${path}.part`, "w", 0o600);
    await writeAll(file, Buffer.from(`{"run_id":${JSON.stringify(runId)},"actions":[\n`));
    for (const [index, name] of names.entries()) {
      await using entry = await openPlain(join(dir, ACTIONS_FOLDER, name));
      if (index > 0) await writeAll(file, Buffer.from(",\n"));
      for await (const chunk of fileChunks(entry, (await entry.stat()).size)) await writeAll(file, chunk);
    }
    await writeAll(file, Buffer.from("]}\n"));
  }
  await rename(`${path}.part`, path);
  return (await stat(path)).size;
}

/** Never a half file under this name, should the process be killed. */
async function writeWhole(path: string, text: Uint8Array): Promise<void> {
  await writeFile(`${path}.part`, text, { mode: 0o600 });
  await rename(`${path}.part`, path);
}
