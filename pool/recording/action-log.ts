/** The action log: one JSON file per action in the run's own folder, written in the background, in order. */
import { createReadStream } from "node:fs";
import { mkdir, open, readdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Action, Selector } from "../../shared/action.ts";
import type { ActionRecord } from "../../shared/event.ts";
import type { Artifact } from "../../shared/recording.ts";
import { actionFileName, runFolder } from "./names.ts";
import { safeParams } from "./summary.ts";
import { cleanDeep } from "./trace-events.ts";

export const ACTIONS_FOLDER = "actions";
export const ACTION_LOG_FILE = "action_log.json";
const PREVIEW_CHARS = 240;

export type ActionLogEntry = { record: ActionRecord; selector: Selector | null; params: Action["params"] };

export type ActionLog = {
  /** The run's own folder. */
  readonly dir: string;
  write(entry: ActionLogEntry): void;
  /** Resolves when all is on disk, and in `action_log.json` once more. Never rejects; idempotent. */
  drain(): Promise<void>;
  artifacts(): Pick<Artifact, "name" | "kind" | "bytes">[];
};

export type ActionLogOptions = {
  /** Below it each run has a folder, named by its id as far as that is a name; without an id by a fresh one. */
  dir: string;
  runId?: string;
  mask?: (text: string) => string;
  warn: (error: unknown) => void;
};

/** @throws if the folder cannot be made */
export async function openActionLog({ dir: parent, runId, mask = (text) => text, warn }: ActionLogOptions): Promise<ActionLog> {
  const dir = join(parent, runFolder(runId));
  await mkdir(join(dir, ACTIONS_FOLDER), { recursive: true, mode: 0o700 });
  const files = new Map<string, number>();
  let collected: number | null = null;
  let tail: Promise<void> = Promise.resolve();
  const then = (work: () => Promise<void>): Promise<void> => {
    tail = tail.then(work).catch(warn);
    return tail;
  };
  return {
    dir,
    write({ record, selector, params }) {
      const name = actionFileName(record.seq, record.tool, record.action);
      const text = `${JSON.stringify(cleanDeep(toFile(record, selector, params), mask), null, 2)}\n`;
      void then(async () => {
        await writeWhole(join(dir, ACTIONS_FOLDER, name), text);
        files.set(name, Buffer.byteLength(text));
      });
    },
    drain: () =>
      then(async () => {
        collected = await collectActionLog(dir, runId ?? null);
      }),
    artifacts: () => [
      ...[...files].map(([name, bytes]) => ({ name: `${ACTIONS_FOLDER}/${name}`, kind: "action" as const, bytes })),
      ...(collected === null ? [] : [{ name: ACTION_LOG_FILE, kind: "action_log" as const, bytes: collected }]),
    ],
  };
}

/** What stands in an action's file. */
function toFile(record: ActionRecord, selector: Selector | null, params: Action["params"]) {
  const { seq, step, tool, action, summary, at, duration_ms, success, result_text, error, url } = record;
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
    result: result_text === null ? null : { preview: result_text.slice(0, PREVIEW_CHARS).toWellFormed(), total_chars: result_text.length },
    error,
    url,
  };
}

/** Writes `action_log.json`, `{run_id, actions[]}`, from the files of the actions, in constant memory. Returns its size. */
export async function collectActionLog(dir: string, runId: string | null): Promise<number> {
  const names = (await readdir(join(dir, ACTIONS_FOLDER))).filter((name) => name.endsWith(".json"));
  names.sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10) || (a < b ? -1 : 1));
  const path = join(dir, ACTION_LOG_FILE);
  let bytes = 0;
  {
    await using file = await open(`${path}.part`, "w", 0o600);
    const write = async (text: string | Buffer) => {
      const chunk = Buffer.from(text as string);
      for (let at = 0; at < chunk.length; ) at += (await file.write(chunk, at)).bytesWritten;
      bytes += chunk.length;
    };
    await write(`{"run_id":${JSON.stringify(runId)},"actions":[`);
    for (const [index, name] of names.entries()) {
      if (index > 0) await write(",\n");
      for await (const chunk of createReadStream(join(dir, ACTIONS_FOLDER, name))) await write(chunk as Buffer);
    }
    await write("]}\n");
  }
  await rename(`${path}.part`, path);
  return bytes;
}

/** Never a half file under this name, should the process be killed. */
async function writeWhole(path: string, text: string): Promise<void> {
  await writeFile(`${path}.part`, text, { mode: 0o600 });
  await rename(`${path}.part`, path);
}
