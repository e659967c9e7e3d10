/** What a run leaves in its folder besides its recording, and the way of all of it into the volume. */
import { mkdir, rename, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { NumberedEvent } from "../../shared/event.ts";
import { EVENTS_FILE, type Manifest, type RecordingState, STATUS_FILE } from "../../shared/recording.ts";
import type { Run } from "../../shared/run.ts";
import type { StagedFile, Volume } from "../volume/volume.ts";

/** An attempt's folder on its way into the volume. `restage`: status and events are still to be written beside the recording. */
export type CommitPlan = { dir: string; attempt: number; files: StagedFile[]; state: RecordingState; restage: boolean };

/** Writes the run and its events beside the recording; returns the commit that is left to do. */
export async function stageArtifacts(plan: CommitPlan, run: Run, events: readonly NumberedEvent[]): Promise<CommitPlan> {
  const { dir, attempt, state } = plan;
  await mkdir(dir, { recursive: true, mode: 0o700 });
  await writeWhole(join(dir, STATUS_FILE), JSON.stringify({ ...run, recording: { ...run.recording, state } }));
  await writeWhole(join(dir, EVENTS_FILE), events.map(({ id, event }) => `${JSON.stringify({ id, ...event })}\n`).join(""));
  const files: StagedFile[] = [
    { name: STATUS_FILE, kind: "status" },
    { name: EVENTS_FILE, kind: "events" },
    ...plan.files.map(({ name, kind }) => ({ name, kind })),
  ];
  return { dir, attempt, files, state, restage: false };
}

/** A new file in place of an old one, never written into: the old one may already be linked into the volume. */
async function writeWhole(path: string, text: string): Promise<void> {
  await writeFile(`${path}.part`, text, { mode: 0o600 });
  await rename(`${path}.part`, path);
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

/** May be repeated: the first commit of a run stands. `owner`: the name of the key that posted the run. */
export const commitArtifacts = (
  volume: Volume,
  runId: string,
  owner: string | null,
  { dir, files, state }: CommitPlan,
): Promise<Manifest> => volume.commit(runId, dir, files, state, owner);
