/** The two phases of a run's end that write: its status, and what it leaves. */
import { AppError, type ErrorDetail } from "../../shared/errors.ts";
import type { Artifact, RecordingState } from "../../shared/recording.ts";
import type { Clocks, Run } from "../../shared/run.ts";
import type { TerminalStatus, Warning } from "../../shared/run-status.ts";
import type { Fence } from "../store/events.ts";
import { type Aftermath, type RunLists, type RunOutcome, type RunRow, updateAftermath } from "../store/runs.ts";
import { type CommitPlan, commitArtifacts, stageArtifacts } from "./artifacts.ts";
import type { Phase } from "./finalizer.ts";
import { deservesAnother } from "./next-attempt.ts";
import type { RunEvents } from "./run-events.ts";
import type { SessionDeps } from "./session-deps.ts";

/** What of the row is known at the end only. */
export type End = { status: TerminalStatus; finished_at: Date; outcome: RunOutcome; lists: RunLists; clocks: Clocks };

/**
 * `isDisowned`: the run ended elsewhere, or belongs to another. `isPublished`: its status is in the store, not in the outbox.
 * `published`: resolves once it is there.
 */
export type Finality = { recording: RecordingState; isDisowned: boolean; isPublished: boolean; published: Promise<void> };

/** What the session lends the phases. */
export type Ending = {
  deps: SessionDeps;
  fence: Fence;
  row: RunRow;
  dir: string;
  keepsTrace: boolean;
  events: RunEvents;
  warnings: Warning[];
  state: Finality;
  over: () => void;
  disown: () => void;
  endRecording: () => Promise<void>;
  recorded: () => Pick<Artifact, "name" | "kind" | "bytes">[];
  toRun: () => Run;
  clear: () => void;
};

export const isConflict = (error: unknown): boolean => error instanceof AppError && error.code === "CONFLICT";

/** The row shows the end only once nothing can change it: stored, or put aside on disk to be. */
export function publishPhase({ deps, fence, row, events, warnings, state, over, disown }: Ending, end: End): Phase {
  const { status, finished_at, outcome, lists, clocks } = end;
  const fields = () => ({ at: finished_at, outcome, lists, clocks, warnings: [...warnings], recording_state: state.recording });
  return {
    work: async (signal) => {
      if (state.isDisowned) return over(); // whatever became of it stands elsewhere
      try {
        if (deservesAnother(row, outcome.error)) {
          const error = outcome.error as ErrorDetail;
          if (await events.endAttempt(() => deps.tryAgain(fence, error), signal)) {
            deps.log.info("The run gets another attempt", { attempt: fence.attempt + 1, error });
            disown();
            return over();
          }
        }
        const stored = fields();
        await events.end(status, { ...stored, signal }, () => Object.assign(row, end));
        row.warnings = [...row.warnings, ...stored.warnings];
        warnings.splice(0, stored.warnings.length);
        deps.onEnd(status, row);
      } catch (error) {
        if (!isConflict(error)) throw error;
        deps.log.warn("The run ended elsewhere, or is no longer this node's", { error });
        disown();
      }
      over();
    },
    failed: async () => {
      state.isPublished = false;
      const { settled, ...before } = events.unstored();
      deps.outbox.hold(fence.run_id, settled); // what is still on its way must not be stored twice
      try {
        await deps.outbox.add({ kind: "publish", run_id: fence.run_id, payload: { fence, status, fields: fields(), before } });
        if (!deservesAnother(row, outcome.error)) Object.assign(row, end); // else it may not be the end
      } finally {
        state.published = deps.outbox.delivered(fence.run_id, "publish");
        await events.close(); // readers go on with what is stored, and wait there
        over();
      }
    },
  };
}

export function persistPhase({ deps, fence, row, dir, keepsTrace, events, warnings, state, ...run }: Ending): Phase {
  const { store, volume, outbox } = deps;
  const plan: CommitPlan = { dir, attempt: fence.attempt, files: [], state: state.recording, restage: true };
  const settle = (aftermath: Aftermath) =>
    updateAftermath(store, fence.run_id, { ...aftermath, attempt: fence.attempt, warnings: [...warnings], settled: true });
  const isWhole = () => !keepsTrace || run.recorded().some(({ kind, bytes }) => kind === "trace" && bytes !== null);
  return {
    work: async () => {
      if (state.isDisowned) return run.clear();
      await run.endRecording();
      const made = state.recording === "finalizing" ? (isWhole() ? "ready" : "partial") : state.recording; // told once it is stored
      Object.assign(plan, { files: run.recorded(), state: made });
      if (!state.isPublished) throw new AppError("INTERNAL", "The run's artifacts wait for its status");
      Object.assign(plan, await stageArtifacts(plan, run.toRun(), await events.all()));
      await commitArtifacts(volume, fence.run_id, row.api_key_name, plan);
      state.recording = plan.state;
      await settle({ recording_state: plan.state });
      run.clear();
    },
    failed: async () => {
      if (plan.state === "finalizing") {
        // Still being written: all is named that will be there, and what then is not makes it partial.
        Object.assign(plan, { files: run.recorded(), state: "ready" });
        outbox.hold(fence.run_id, run.endRecording());
      }
      await outbox.add({ kind: "persist", run_id: fence.run_id, payload: plan });
      await settle({});
    },
  };
}
