/** The one router through which every action of a run goes: ask the guardrails, perform, log, emit. */
import type { Action, Origin } from "../../shared/action.ts";
import { pause } from "../../shared/deadline.ts";
import { AppError, type ErrorCode, toErrorDetail } from "../../shared/errors.ts";
import type { ActionRecord, RunEvent } from "../../shared/event.ts";
import type { Verdict } from "../../shared/guardrails.ts";
import type { SecretValue } from "../../shared/secret-value.ts";
import type { ClickTarget } from "../actions/attempt.ts";
import type { CaptchaWatch } from "../actions/captcha.ts";
import { credentialRefusal } from "../actions/credential-origins.ts";
import type { PerformContext, Performed } from "../actions/perform.ts";
import type { Tabs } from "../actions/tabs.ts";
import type { RunGuardrails } from "../guardrails/guardrails.ts";
import type { Scope } from "../guardrails/scope.ts";
import type { ActionLog } from "../recording/action-log.ts";
import type { Clean } from "../recording/clean.ts";
import type { Recorder } from "../recording/recorder.ts";
import { summarise } from "../recording/summary.ts";
import type { RunSpans } from "../telemetry/run-spans.ts";

const RESULT_CHARS = 2_000;
/** A picture straight after a click shows the spinner, not what came of it; one of a page that never rests is taken all the same. */
const PICTURE_WAIT_MS = 500;

/** `values`: what `evaluate` gets as `params`. `credential`: in place of the run's own, where typed text is made of several parts. */
export type ActInfo = {
  step: number | null;
  tool: string;
  title: string;
  values: Record<string, string | number | boolean>;
  credential?: (name: string) => SecretValue;
  /** Who wants it. */
  origin: Origin;
  /** In the words of whoever asked for it: the step's, or the directive. Never a page's. */
  intent: string;
  /** Of an agent: what it is for. It is held to it. */
  scope?: Scope;
  /** The next action belongs to the same sequence. */
  more?: boolean;
  /** Hears which selector of the chain found the element, 0 for the primary. */
  onChoice?: (index: number) => void;
  /** Hears hints and warnings, for whoever chooses what comes next. */
  onRemark?: (verdict: Verdict) => void;
};
export type Act = (action: Action, info: ActInfo) => Promise<Performed>;

type ActDeps = {
  tabs: Tabs;
  perform: (tabs: Tabs, action: Action, context: PerformContext) => Promise<Performed>;
  guardrails: RunGuardrails;
  recorder: Recorder;
  spans: Pick<RunSpans, "action">;
  log: ActionLog;
  captcha: CaptchaWatch;
  emit: (event: RunEvent) => void;
  onRecord: (record: ActionRecord) => void;
  credential: (name: string) => SecretValue;
  /** A text that was typed into a password field. */
  learn: (text: string) => void;
  /** Every text passes it on its way out. */
  redact: Clean;
  /** Hears of refusals that come only with the action. */
  onVerdict: (verdict: Verdict) => void;
  /** Are pictures taken? They wait a moment for what the action has started. */
  pictures: boolean;
  signal: AbortSignal;
  /** Hears after each action which page the run is on. */
  follow: () => void;
  /** Is the browser no longer connected? Then this resolves once its loss was told, or is not going to be. */
  loss: () => Promise<void> | null;
};

/** Actions go one after the other; each has a number, refused ones too. */
export function createAct(deps: ActDeps): Act {
  const { tabs, guardrails, recorder, spans, redact, learn, signal } = deps;
  let seq = 0;
  const cut = (text: string) => (text.length > RESULT_CHARS ? `${text.slice(0, RESULT_CHARS)}… (${text.length} characters)` : text);
  const tell = (verdict: Verdict, action_seq: number) => {
    if (verdict.kind === "allow") return;
    const { rule, kind, host } = verdict;
    deps.emit({ type: "guardrail", at: now(), rule, kind, reason: redact(verdict.reason), action_seq, host: host ? redact(host) : null });
  };

  return async (action, info) => {
    const { step, tool, title, values, credential = deps.credential, origin, intent, scope } = info;
    seq += 1;
    const mySeq = seq;
    const at = now();
    const started = performance.now();
    const recording = recorder.action({ seq: mySeq, action, title, page: tabs.active() });
    const span = spans.action({ seq: mySeq, action: action.action, tool });
    let done: Performed | null = null;
    let failure: unknown = null;
    const permit = async (target: ClickTarget) => {
      const verdict = await guardrails.permit(target, { origin, intent, scope, url: tabs.url(), signal });
      if (verdict === null) return;
      tell(verdict, mySeq);
      if (verdict.kind === "block") throw refused(verdict);
    };
    try {
      const verdict = await guardrails.ask(action, { url: tabs.url(), scope, by: { origin, intent, signal } });
      tell(verdict, mySeq);
      if (verdict.kind === "block" || verdict.kind === "stop") throw refused(verdict);
      done = await deps.perform(tabs, action, {
        signal,
        credential,
        learn,
        values,
        permit,
        observe: recording.observer,
        onChoice: info.onChoice,
      });
      if (action.action === "goto" || action.action === "click") done = saying(await deps.captcha.check(signal), done);
    } catch (error) {
      await deps.loss(); // a crash breaks the action first, and is the run's end in the next moment
      failure = signal.aborted ? signal.reason : error;
      const verdict = credentialRefusal(failure);
      if (verdict) {
        deps.onVerdict(verdict);
        tell(verdict, mySeq);
      }
    }
    deps.follow();
    const after = guardrails.after({ action, url: tabs.url(), error: failure, origin, more: info.more });
    if (after) {
      tell(after, mySeq);
      if (after.kind === "hint" || after.kind === "warning") info.onRemark?.(after);
      if (after.kind === "block" || after.kind === "stop")
        failure = failure instanceof AppError && !YIELDING[after.kind].includes(failure.code) ? failure : refused(after, failure);
    }
    span.end(failure === null ? null : toErrorDetail(failure).code);
    const duration_ms = Math.round((performance.now() - started) * 10) / 10;
    if (deps.pictures && failure === null) await Promise.race([tabs.settled(signal, "picture"), pause(PICTURE_WAIT_MS)]).catch(() => {}); // the run's end
    const screenshot = signal.aborted ? null : await recording.screenshot(tabs.active(), action.action, signal);
    const error = failure === null ? null : redact(toErrorDetail(failure).message);
    const record: ActionRecord = {
      at,
      seq: mySeq,
      step,
      tool,
      action: action.action,
      summary: summarise(action, redact),
      url: redact(tabs.url()),
      duration_ms,
      success: failure === null,
      result_text: done?.text == null ? null : cut(redact(done.text)),
      error,
      screenshot,
    };
    recording.end({ error, resultText: record.result_text });
    deps.log.write({ record, selector: action.selector, params: action.params });
    deps.onRecord(record);
    deps.emit({ type: "action", ...record });
    if (failure !== null) throw failure;
    return done as Performed; // no failure: it was performed
  };
}

/** What the action itself failed with says less than the verdict; other codes say how the run ends. A stop outweighs a refusal. */
const YIELDING: Record<"block" | "stop", readonly ErrorCode[]> = { block: ["STEP_FAILED"], stop: ["STEP_FAILED", "GUARDRAIL_BLOCKED"] };
/** What is said of the page stands before what the action has to tell. */
const saying = (remark: string | null, done: Performed): Performed =>
  remark === null ? done : { ...done, text: done.text === null ? remark : `${remark}\n${done.text}` };

const now = () => new Date().toISOString();

const refused = (verdict: Verdict, cause?: unknown): AppError =>
  new AppError(isStuck(verdict) ? "STUCK" : "GUARDRAIL_BLOCKED", verdict.reason, {
    cause,
    details: { rule: verdict.rule, kind: verdict.kind, ...(verdict.host ? { host: verdict.host } : {}) },
  });

const isStuck = ({ kind, rule }: Verdict): boolean => kind === "stop" && rule.startsWith("stuck_");
