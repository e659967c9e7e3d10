/** What a node does at start about what an earlier one left: statuses put aside, runs cut short, recordings in pieces. */
import { mkdir, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { AppError } from "../shared/errors.ts";
import type { RunEvent } from "../shared/event.ts";
import type { RecordingState } from "../shared/recording.ts";
import type { TerminalStatus } from "../shared/run-status.ts";
import type { JobQueue } from "./queue/boss.ts";
import { endRunsOfEarlierBoots } from "./queue/lost.ts";
import { attemptFolder, parseAttemptFolder } from "./recording/run-folder.ts";
import { salvage } from "./recording/salvage.ts";
import { type CommitPlan, commitArtifacts, stageArtifacts, whatIsLeft } from "./session/artifacts.ts";
import type { OutboxEntry } from "./session/outbox.ts";
import type { TryAgain } from "./session/session-deps.ts";
import type { EndFields, EventWriter, Fence } from "./store/events.ts";
import type { Owner } from "./store/fence.ts";
import { readRow, updateAftermath } from "./store/runs.ts";
import type { Store } from "./store/sql.ts";
import { readAllEvents, readRun } from "./store/to-run.ts";
import type { Log } from "./telemetry/log.ts";
import type { Metrics } from "./telemetry/metrics.ts";
import type { Volume } from "./volume/volume.ts";

/** How long the remains of a run are kept that cannot be stored: each start tries again. */
const KEEP_REMAINS_MS = 7 * 86_400_000;

/** `onEnded` is told of each run that gets its end here. */
type Deps = { store: Store; volume: Volume; log: Log; onEnded?: Metrics["runEnded"] };
/** `isAway`: the volume does not answer. */
type RemainsDeps = Deps & { workDir: string; isAway: boolean };
type RecoveryDeps = Deps & {
  queue: JobQueue;
  owner: Owner;
  workDir: string;
  /** Runs in the outbox: it knows how they ended and has their whole commit, so they are not lost. Without it, any settled run may be one. */
  waiting?: ReadonlySet<string>;
};

/**
 * Ends, as NODE_LOST, what earlier boots had in hand, and stores what they had recorded of it. Call before the first claim.
 * A volume that does not answer is not waited for, run by run: what is recorded is kept for the next start.
 */
export async function recoverEarlierRuns(given: RecoveryDeps): Promise<void> {
  const { workDir, log } = given;
  await mkdir(workDir, { recursive: true, mode: 0o700 });
  const lost = await endRunsOfEarlierBoots(given);
  const deps = { ...given, isAway: !(await given.volume.healthy()) };
  for (const runId of lost) {
    try {
      await storeRemains(deps, runId);
    } catch (error) {
      log.error("What was recorded of a lost run could not be stored", { run_id: runId, error });
      await updateAftermath(deps.store, runId, { recording_state: "lost", settled: true });
    }
  }
  await sweepWorkDir(deps);
}

/** Does nothing to the folder of a run that is committed: its files are one with those in the volume. */
async function storeRemains({ store, volume, workDir, isAway }: RemainsDeps, runId: string): Promise<void> {
  if (isAway) throw new AppError("POOL_UNREACHABLE", "The volume does not answer");
  const committed = await volume.manifest(runId);
  if (committed) return updateAftermath(store, runId, { recording_state: committed.state, settled: true });
  const row = await readRow(store, runId);
  if (!row) return;
  const dir = join(workDir, attemptFolder(row));
  const there = await stat(dir).then(
    (about) => about.isDirectory(),
    () => false,
  );
  const files = there ? await salvage(dir, runId) : [];
  const isOff = row.recording_state === "off";
  const state: RecordingState = isOff ? "off" : files.some(({ kind }) => kind === "trace" || kind === "screenshot") ? "partial" : "lost";
  const run = await readRun(store, runId);
  if (run && there) {
    const plan: CommitPlan = { dir, attempt: row.attempt, files, state, restage: true };
    const whole = await stageArtifacts(plan, run, await readAllEvents(store, runId));
    await commitUnlessDeleted({ store, volume }, runId, row.api_key_name, whole);
  }
  await updateAftermath(store, runId, { recording_state: state, settled: true });
}

/** A settled run may be deleted at any moment; who deletes removes its artifacts before its row. Without a row nobody would remove what comes after. */
async function commitUnlessDeleted({ store, volume }: Omit<Deps, "log">, runId: string, owner: string | null, plan: CommitPlan) {
  const manifest = await commitArtifacts(volume, runId, owner, plan);
  if ((await readRow(store, runId)) !== null) return manifest;
  await volume.remove(runId);
  return null;
}

/**
 * Removes staging folders that nobody needs any more. A run that its peers took for lost is settled without its artifacts: what is staged
 * of it is stored now.
 */
async function sweepWorkDir(deps: RemainsDeps & Pick<RecoveryDeps, "waiting">): Promise<void> {
  const { volume, store, workDir, waiting, isAway, log } = deps;
  for (const name of await readdir(workDir)) {
    const dir = join(workDir, name);
    const about = parseAttemptFolder(name);
    const row = about && (await readRow(store, about.run_id));
    if (row && row.attempt === about.attempt) {
      // another came after an earlier one: nothing of that is wanted
      const { run_id } = row;
      if (row.finished_at === null || row.settled_at === null || waiting?.has(run_id)) continue;
      try {
        if (isAway || (await volume.manifest(run_id)) === null) {
          if (waiting === undefined && row.recording_state !== "lost") continue;
          await storeRemains(deps, run_id);
        }
      } catch (error) {
        log.error("What is staged of a run could not be stored", { run_id, error });
        if (Date.now() - row.finished_at.getTime() < KEEP_REMAINS_MS) continue;
      }
    }
    await rm(dir, { recursive: true, force: true });
    log.debug("A staging folder of an earlier start is gone", { name });
  }
}

type PublishPayload = {
  fence: Fence;
  status: TerminalStatus;
  fields: Omit<EndFields, "at" | "signal"> & { at: string };
  /** Events that may be missing in the store, or in part be there, after number `after`. Entries of an older version have none. */
  before?: { after: number; events: RunEvent[] };
};

/** Finishes what a finalizer had to put aside. May be called again for what it has done. */
export function deliverFromOutbox({ store, volume, writer, tryAgain, onEnded }: Deps & { writer: EventWriter; tryAgain: TryAgain }) {
  return async ({ kind, run_id, payload }: OutboxEntry): Promise<void> => {
    if (kind === "publish") {
      const { fence, status, fields, before } = payload as PublishPayload; // written by the session, whole or not at all
      try {
        if (before) await writer.complete(fence, before.after, before.events);
        if (fields.outcome.error && (await tryAgain(fence, fields.outcome.error)) !== null) return;
        await writer.transition(fence, status, { ...fields, at: new Date(fields.at) });
        onEnded?.(status, fields.outcome.error?.code);
      } catch (error) {
        if (!(error instanceof AppError && error.code === "CONFLICT")) throw error; // a CONFLICT: it is over already
      }
      return;
    }
    const plan: CommitPlan = { attempt: 1, ...(payload as Omit<CommitPlan, "attempt">) }; // of an older version: there was one attempt only
    const [row, run] = [await readRow(store, run_id), await readRun(store, run_id)];
    const isWanted = row !== null && row.attempt === plan.attempt;
    if (!isWanted || run === null) return rm(plan.dir, { recursive: true, force: true }); // deleted meanwhile, or another attempt has begun
    const left = await whatIsLeft(plan);
    const whole = left?.restage ? await stageArtifacts(left, run, await readAllEvents(store, run_id)) : left;
    const manifest = whole ? await commitUnlessDeleted({ store, volume }, run_id, row.api_key_name, whole) : await volume.manifest(run_id);
    await updateAftermath(store, run_id, { recording_state: manifest?.state ?? (plan.state === "off" ? "off" : "lost"), settled: true });
    await rm(plan.dir, { recursive: true, force: true });
  };
}
