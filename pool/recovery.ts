/** What a node does at start about what an earlier one left: statuses put aside, runs cut short, recordings in pieces. */
import { mkdir, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { AppError } from "../shared/errors.ts";
import type { NumberedEvent } from "../shared/event.ts";
import { isRunId } from "../shared/ids.ts";
import type { TerminalStatus } from "../shared/run-status.ts";
import type { JobQueue } from "./queue/boss.ts";
import { endRunsOfEarlierBoots } from "./queue/lost.ts";
import { salvage } from "./recording/salvage.ts";
import { type CommitPlan, commitArtifacts, stageArtifacts, whatIsLeft } from "./session/artifacts.ts";
import type { OutboxEntry } from "./session/outbox.ts";
import { type EndFields, type EventWriter, type Fence, readEvents } from "./store/events.ts";
import type { Owner } from "./store/fence.ts";
import { readRow, updateAftermath } from "./store/runs.ts";
import type { Store } from "./store/sql.ts";
import { readRun } from "./store/to-run.ts";
import type { Log } from "./telemetry/log.ts";
import type { Volume } from "./volume/volume.ts";

type Deps = { store: Store; volume: Volume; log: Log };

/** Ends, as NODE_LOST, what earlier boots had in hand, and stores what they had recorded of it. Call before the first claim. */
export async function recoverEarlierRuns(deps: Deps & { queue: JobQueue; owner: Owner; workDir: string }): Promise<void> {
  const { workDir, log } = deps;
  await mkdir(workDir, { recursive: true, mode: 0o700 });
  for (const runId of await endRunsOfEarlierBoots(deps)) {
    try {
      await storeRemains(deps, runId, join(workDir, runId));
    } catch (error) {
      log.error("What was recorded of a lost run could not be stored", { run_id: runId, error });
      await updateAftermath(deps.store, runId, { recording_state: "lost", settled: true });
    }
  }
  await sweepWorkDir(deps, workDir);
}

async function storeRemains({ store, volume }: Deps, runId: string, dir: string): Promise<void> {
  const row = await readRow(store, runId);
  if (!row) return;
  const there = await stat(dir).then(
    (about) => about.isDirectory(),
    () => false,
  );
  const files = there ? await salvage(dir, runId) : [];
  const isOff = row.recording_state === "off";
  const state = isOff ? "off" : files.some(({ kind }) => kind === "trace" || kind === "screenshot") ? "partial" : "lost";
  const run = await readRun(store, runId);
  if (run && there) {
    run.recording.state = state;
    await commitArtifacts(volume, runId, await stageArtifacts(dir, run, await allEvents(store, runId), files));
  }
  await updateAftermath(store, runId, { recording_state: state, settled: true });
}

async function allEvents(store: Store, runId: string): Promise<NumberedEvent[]> {
  const events: NumberedEvent[] = [];
  const page = 1000;
  for (;;) {
    const more = await readEvents(store, runId, events.at(-1)?.id ?? 0, page);
    events.push(...more);
    if (more.length < page) return events;
  }
}

/** Removes staging folders of runs that are stored or unknown. One whose artifacts still wait in the outbox stays. */
async function sweepWorkDir({ store, volume, log }: Deps, workDir: string): Promise<void> {
  for (const name of await readdir(workDir)) {
    const row = isRunId(name) ? await readRow(store, name) : null;
    if (row && (row.settled_at === null || (await volume.manifest(name)) === null)) continue;
    await rm(join(workDir, name), { recursive: true, force: true });
    log.debug("A staging folder of an earlier start is gone", { name });
  }
}

type PublishPayload = { fence: Fence; status: TerminalStatus; fields: Omit<EndFields, "at" | "signal"> & { at: string } };

/** Finishes what a finalizer had to put aside. May be called again for what it has done. */
export function deliverFromOutbox({ store, volume, writer }: Deps & { writer: EventWriter }) {
  return async ({ kind, run_id, payload }: OutboxEntry): Promise<void> => {
    if (kind === "publish") {
      const { fence, status, fields } = payload as PublishPayload; // written by the session, whole or not at all
      try {
        await writer.transition(fence, status, { ...fields, at: new Date(fields.at) });
      } catch (error) {
        if (!(error instanceof AppError && error.code === "CONFLICT")) throw error; // a CONFLICT: it is over already
      }
      return;
    }
    const plan = payload as CommitPlan;
    const left = await whatIsLeft(plan);
    const manifest = left ? await commitArtifacts(volume, run_id, left) : await volume.manifest(run_id);
    await updateAftermath(store, run_id, { recording_state: manifest?.state ?? (plan.state === "off" ? "off" : "lost"), settled: true });
    await rm(plan.dir, { recursive: true, force: true });
  };
}
