/** The work of one run: takes a browser, opens what surrounds it, and runs the playbook. Throws what ended it. */
import { pause } from "../../shared/deadline.ts";
import { AppError, toErrorDetail } from "../../shared/errors.ts";
import type { ActionRecord } from "../../shared/event.ts";
import type { Playbook } from "../../shared/playbook.ts";
import type { StepResult } from "../../shared/run.ts";
import { type Credentials, SecretValue } from "../../shared/secret-value.ts";
import { createCaptchaWatch } from "../actions/captcha.ts";
import { perform } from "../actions/perform.ts";
import { openTabs, type Tabs } from "../actions/tabs.ts";
import { checkVerify } from "../actions/verify-page.ts";
import { judgeClick } from "../agent/judge-click.ts";
import type { Lease } from "../browsers/browsers.ts";
import type { EgressListener } from "../guardrails/egress.ts";
import { openGuardrails } from "../guardrails/guardrails.ts";
import { filterText } from "../guardrails/page-text.ts";
import { type BoundPlaybook, bindPlaybook } from "../playbook/bind.ts";
import { composeTyped } from "../playbook/bind-step.ts";
import { isFinal, type RunnerDeps } from "../playbook/run-step.ts";
import { runPlaybook } from "../playbook/runner.ts";
import type { Recorder } from "../recording/recorder.ts";
import { credentialOf } from "../secrets/credentials.ts";
import { MIN_CHARS } from "../secrets/variants.ts";
import type { RunRow } from "../store/runs.ts";
import { type Act, createAct } from "./act.ts";
import { type Asker, createAsker } from "./asker.ts";
import { createLessons } from "./lessons.ts";
import { guardsOnce } from "./next-attempt.ts";
import { openRecording } from "./open-recording.ts";
import type { SessionDeps } from "./session-deps.ts";
import { keep, type Stage } from "./stage.ts";
import { createTextBudget } from "./text-budget.ts";
import { createUnderstudy, type Understudy } from "./understudy.ts";

/** How long after a broken connection the browser's loss is told, at most. */
const LOSS_TOLD_MS = 2_000;

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });

const now = () => new Date().toISOString();

export async function work(stage: Stage, deps: SessionDeps): Promise<void> {
  const { row, signal, redactor } = stage;
  const bound = row.playbook && bindRun(row, row.playbook, stage.credentials);
  const opening = openRecording(stage, deps);
  const lease = await keep(stage, leaseBrowser(stage, deps));
  stage.leased(lease);
  stage.spans.set({ "understudy.playbook_id": row.playbook_id && redactor.text(row.playbook_id), "understudy.tier": deps.browsers.tier });
  lease.lost.addEventListener("abort", () => stage.lost(lease.lost.reason), { once: true });
  if (lease.lost.aborted) throw lease.lost.reason;
  const policy = deps.policyOf(row.guardrails);
  lease.egress.attach(policy, (refusal) => {
    const { rule, reason, host } = refusal;
    deps.onVerdict({ kind: "block", rule, reason, host });
    if (!refusal.first) return; // counted all, told once
    stage.emit({
      type: "guardrail",
      at: now(),
      rule,
      kind: "block",
      reason: redactor.text(reason),
      action_seq: null,
      host: redactor.text(host),
    });
  });
  const { recorder, log } = await opening(lease.version);
  const tabs = await keep(stage, openRunTabs(stage, lease, recorder));

  const asker = deps.llm && createAsker(stage, deps.llm);
  const reader = asker && {
    ask: (question: Parameters<Asker["ask"]>[0]) => asker.ask(question, "reader"),
    redact: redactor.text,
    filterText,
  };
  const guardrails = openGuardrails({
    guardrails: row.guardrails,
    policy,
    egress: lease.egress,
    ...(reader ? { askModel: (question) => judgeClick(question, reader) } : {}),
    onVerdict: deps.onVerdict,
  });
  const captcha = createCaptchaWatch(tabs);
  const records = new Set<(record: ActionRecord) => void>([stage.onRecord]);
  const act = createAct({
    tabs,
    captcha,
    perform,
    guardrails,
    recorder,
    spans: stage.spans,
    log,
    emit: stage.emit,
    onRecord: (record) => {
      for (const hear of records) hear(record);
      deps.onAction(record.action, record.success);
    },
    credential: (name) => credentialOf(stage.credentials, name),
    learn: (text) => text.length >= MIN_CHARS && redactor.learn(new SecretValue("typed", text)), // a shorter one is found in innocent values
    redact: redactor.text,
    onVerdict: deps.onVerdict,
    pictures: row.request.recording.enabled && row.request.recording.screenshots,
    signal,
    follow: () => lease.follow(tabs.active()),
    loss: () => (lease.browser.connected ? null : Promise.race([aborted(lease.lost), pause(LOSS_TOLD_MS)])),
  });
  stage.running();
  await openStart(act, row.request.start_url ?? bound?.start_url ?? null);
  const understudy = createUnderstudy({ stage, asker, act, tabs, log: deps.log });
  try {
    if (bound) await runBound(bound, { stage, deps, act, tabs, recorder, understudy, records });
    else await understudy.carryOut(row.request.directive ?? "");
  } catch (error) {
    throw await captcha.explain(error, signal);
  }
  signal.throwIfAborted();
  if (bound) await understudy.fillData();
}

/** Why no Chrome could be had is the operator's to know: it holds paths, addresses and what Chrome said. */
async function leaseBrowser({ row, signal }: Stage, { browsers, log }: SessionDeps): Promise<Lease<EgressListener>> {
  try {
    return await browsers.lease(row.run_id, { signal, viewport: row.request.viewport });
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    log.error("No Chrome could be had for a run", { error });
    throw new AppError("SETUP_FAILED", "No Chrome could be had for the run; the node's log says why", { cause: error });
  }
}

/** The row was bound once when it was accepted; its credentials' values are needed only from now on. */
function bindRun(row: RunRow, playbook: Playbook, credentials: Credentials): BoundPlaybook {
  return bindPlaybook(playbook, {
    params: row.params,
    directive: row.request.directive ?? null,
    credentialNames: Object.keys(credentials),
  });
}

function openRunTabs({ row, signal }: Stage, lease: Lease<EgressListener>, recorder: Recorder): Promise<Tabs> {
  const whyUnreached = (url: URL) => lastFailure(lease.egress, url);
  return openTabs(lease.page, { signal, viewport: row.request.viewport, onPage: (page) => recorder.attach(page), whyUnreached });
}

function lastFailure(egress: Pick<EgressListener, "since">, { hostname, port, protocol }: URL): string | null {
  const wanted = Number(port || (protocol === "https:" ? 443 : 80));
  const failed = egress.since(0).findLast((each) => each.host === hostname && each.port === wanted);
  return failed?.outcome === "unreachable" ? failed.code : null;
}

/** @throws SETUP_FAILED, unless a guardrail or the run's end is the reason. */
async function openStart(act: Act, url: string | null): Promise<void> {
  if (url === null) return;
  try {
    const action = { action: "goto", selector: null, params: { url }, timeout_ms: null } as const;
    await act(action, { step: null, tool: "session", title: "Open the start page", values: {}, origin: "author", intent: "" });
  } catch (error) {
    if (!(error instanceof AppError) || isFinal(error)) throw error;
    throw new AppError("SETUP_FAILED", `The start page did not open: ${error.message}`, {
      cause: error,
      details: error.details ?? undefined,
    });
  }
}

type Parts = {
  stage: Stage;
  deps: SessionDeps;
  act: Act;
  tabs: Tabs;
  recorder: Recorder;
  understudy: Understudy;
  records: Set<(record: ActionRecord) => void>;
};

async function runBound(bound: BoundPlaybook, { stage, deps, act, tabs, recorder, understudy, records }: Parts): Promise<void> {
  const { signal, redactor, progress, emit } = stage;
  const mask = redactor.text;
  let group: { end(error?: string | null): void } | null = null;
  let span: { end(): void } | null = null;
  const keep = createTextBudget((message) => stage.warn("texts", toErrorDetail(new AppError("PAYLOAD_TOO_LARGE", message))));
  const verify: RunnerDeps["verify"] = (wanted) => checkVerify(tabs, wanted, { signal });
  const lessons = createLessons({ stage, deps, bound, act, verify });
  if (lessons) records.add(lessons.record);
  const isOnceGuarded = guardsOnce(stage.row);
  const onceSteps = bound.playbook.steps.map(({ once }) => once);
  const running = runPlaybook(bound, {
    act: async (action, { step, description, intent, values, typed, more }) => {
      if (isOnceGuarded && onceSteps[step]) await stage.stored();
      const typing = typed && { credential: () => composeTyped(typed, (name) => credentialOf(stage.credentials, name)) };
      return act(action, {
        step,
        tool: "playbook",
        title: description,
        values,
        origin: "author",
        intent,
        more,
        onChoice: lessons?.chose,
        ...typing,
      });
    },
    verify,
    answer: (question) => understudy.answer(question),
    recover: async (failure) => {
      if (isOnceGuarded) await stage.stored(); // it may do steps that come later
      const onTrial = await lessons?.trial(failure);
      if (onTrial) return onTrial;
      const repair = await understudy.recover(bound, failure);
      if (repair === null) {
        const message = `Step ${failure.step.index + 1} was not recovered: no model is configured on this node`; // failure_message hides what else says so
        stage.warn("recovery", toErrorDetail(new AppError("LLM_ERROR", message)));
        return null;
      }
      const { deeds, ...recovered } = repair;
      if (!recovered.tookOver) lessons?.repaired(failure, deeds);
      return recovered;
    },
    onStep: (notice) => {
      if (notice.state === "started") lessons?.started(notice.index);
      if (notice.state === "started" && notice.attempt === 1) {
        group = recorder.step(notice.index, mask(notice.description));
        span = stage.spans.step(notice.index, notice.action);
      }
      emit({ type: "step", at: now(), ...notice, description: mask(notice.description), error: notice.error && mask(notice.error) });
    },
    onResult: (result) => {
      lessons?.result(result);
      if (result.success) span?.end(); // else with the run, by its code
      group?.end(result.raw_error && mask(result.raw_error)); // a verification that failed stands in no action
      const masked = maskResult(result, mask);
      const kept = { ...masked, extracted_text: masked.extracted_text && keep(masked.extracted_text) };
      progress.step_results.push(kept);
      if (kept.success && kept.extracted_text) progress.extracted_texts.push(kept.extracted_text);
    },
    pause,
    signal,
    log: deps.log,
  });
  await lessons?.settled(await running.then(({ success }) => success).catch(() => false));
  const outcome = await running;
  if (outcome.error) throw outcome.error;
  progress.result = outcome.result && mask(outcome.result);
}

const maskResult = (result: StepResult, mask: (text: string) => string): StepResult => ({
  ...result,
  description: mask(result.description),
  error: result.error && mask(result.error),
  raw_error: result.raw_error && mask(result.raw_error),
  extracted_text: result.extracted_text && mask(result.extracted_text),
});
