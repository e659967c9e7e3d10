/** What a run leaves in its folder besides its recording, and the way of all of it into the volume. */
import { stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { NumberedEvent } from "../../shared/event.ts";
import type { Manifest, RecordingState } from "../../shared/recording.ts";
import type { Run } from "../../shared/run.ts";
import type { StagedFile, Volume } from "../volume/volume.ts";

const STATUS_FILE = "status.json";
const EVENTS_FILE = "events.jsonl";

/** What an entry of the outbox needs to commit a run's folder later. */
export type CommitPlan = { dir: string; files: StagedFile[]; state: RecordingState };

/** Writes the run and its events beside the recording; returns the commit that is left to do. */
export async function stageArtifacts(
  dir: string,
  run: Run,
  events: readonly NumberedEvent[],
  recorded: readonly StagedFile[],
): Promise<CommitPlan> {
  await writeFile(join(dir, STATUS_FILE), JSON.stringify(run), { mode: 0o600 });
  const lines = events.map(({ id, event }) => JSON.stringify({ id, ...event }));
  await writeFile(join(dir, EVENTS_FILE), lines.map((line) => `${line}\n`).join(""), { mode: 0o600 });
  const files: StagedFile[] = [
    { name: STATUS_FILE, kind: "status" },
    { name: EVENTS_FILE, kind: "events" },
    ...recorded.map(({ name, kind }) => ({ name, kind })),
  ];
  return { dir, files, state: run.recording.state };
}

/**
 * The commit as far as its files are still there: what was taken away meanwhile never comes back, and must not hold up the rest.
 * Null: nothing is left of it.
 */
export async function whatIsLeft(plan: CommitPlan): Promise<CommitPlan | null> {
  const there = await Promise.all(
    plan.files.map(({ name }) =>
      stat(join(plan.dir, name)).then(
        (about) => about.isFile(),
        () => false,
      ),
    ),
  );
  const files = plan.files.filter((_, i) => there[i]);
  if (files.length === plan.files.length) return plan;
  return files.length === 0 ? null : { ...plan, files, state: plan.state === "ready" ? "partial" : plan.state };
}

/** May be repeated: the first commit of a run stands. */
export const commitArtifacts = (volume: Volume, runId: string, { dir, files, state }: CommitPlan): Promise<Manifest> =>
  volume.commit(runId, dir, files, state);
