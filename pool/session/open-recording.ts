/** Opens what a run's recording needs. */
import { toErrorDetail } from "../../shared/errors.ts";
import { SecretValue } from "../../shared/secret-value.ts";
import { takeScreenshot } from "../actions/screenshot.ts";
import { playbookSource } from "../playbook/source-text.ts";
import { openActionLog } from "../recording/action-log.ts";
import { openRecorder } from "../recording/recorder.ts";
import type { SessionDeps } from "./session-deps.ts";
import { inTime, type OpenRecording, type Stage } from "./stage.ts";

/** The action log's folder is made while the browser is on its way. */
export function openRecording(stage: Stage, { recording: limits }: SessionDeps): (chromeVersion: string) => Promise<OpenRecording> {
  const { row, dir, redactor } = stage;
  const shown = redactor.extended(); // what fields of a page hide is no secret of the run: its results say what the page says
  const warn = (error: unknown) => stage.warn("recording", toErrorDetail(error), error);
  const opening = openActionLog({ dir, runId: row.run_id, mask: redactor.text, warn });
  opening.catch(() => {}); // heard where it is awaited
  return async (chromeVersion) => {
    const log = await opening;
    const title = row.playbook?.name ?? row.request.directive ?? row.run_id;
    const opened = openRecorder({
      dir,
      runId: row.run_id,
      title,
      viewport: row.request.viewport,
      chromeVersion,
      options: row.request.recording,
      warn,
      takePicture: (page, options) => takeScreenshot(page, { ...options, secrets: shown }),
      mask: shown.text,
      hasSecrets: () => !shown.isEmpty,
      learn: (secret) => shown.learn(new SecretValue("typed", secret)),
      source: row.playbook ? playbookSource(row.playbook) : undefined,
      limits,
    });
    const recorder = await inTime(stage, opened);
    stage.recording({ recorder, log });
    return { recorder, log };
  };
}
