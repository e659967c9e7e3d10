/** The agent's loop: look, ask, perform, until the work is proven done, or cannot be. */
import { counted } from "../../shared/counted.ts";
import { AppError } from "../../shared/errors.ts";
import type { Verify } from "../../shared/playbook.ts";
import type { Answer } from "../llm/llm.ts";
import { type Outcome, type Turn, toMessages } from "./conversation.ts";
import type { AgentDeps } from "./deps.ts";
import type { Deed } from "./memory.ts";
import { createObserver, type Observation } from "./observe.ts";
import { cleanError } from "./page-words.ts";
import { endsRun, performCall } from "./perform-call.ts";
import { NO_CALL, NO_EVIDENCE, SKIPPED, SYSTEM, type Task, taskText } from "./prompt.ts";
import { agentTools, type Intent, parseCall } from "./tools.ts";
import { untrusted } from "./untrusted.ts";

export type AgentTask = Task & {
  maxSteps: number;
  /** What must hold at the end; null: the model has to name what proves it. */
  verify: Verify | null;
  /** What is wrong with the data, or null. Asked when there is an output schema. */
  checkData: ((data: unknown) => Promise<string | null>) | null;
  /** Is a text to be extracted? Then there is no end without one. */
  needsText: boolean;
  /** What the agent does when it takes over all that is left. Null: it may not. */
  takeOver: (() => Promise<{ refused: string } | { goal: string; verify: Verify | null }>) | null;
};
export type AgentResult = { summary: string; data: unknown; extracted: string[]; tookOver: boolean };

/** Answers in a row without a call that could be made. */
const MAX_IDLE = 3;

/** @throws STEP_FAILED when it gives up or has no steps left; what ends the run, as it came */
export async function runAgent(given: AgentTask, deps: AgentDeps): Promise<AgentResult> {
  let task = given;
  let tookOver = false;
  let idle = 0;
  const turns: Turn[] = [];
  const extracted: string[] = [];
  const observer = createObserver(deps.redact);
  const look = async (): Promise<Observation> => observer.see(await deps.view.map());
  const first = await look();
  for (let step = 0; step < given.maxSteps; step += 1) {
    const tools = agentTools({ outputSchema: task.outputSchema, canTakeOver: task.takeOver !== null, actions: deps.scope.actions });
    const messages = toMessages(deps.redact(taskText(task, deps.scope.about)), first, turns);
    const answer = await deps.ask({ system: SYSTEM, messages, tools });
    const turn = await makeTurn(answer);
    if ("result" in turn) return turn.result;
    idle = turn.isIdle ? idle + 1 : 0;
    if (idle === MAX_IDLE) throw failed("the model answered without a usable call, three times in a row");
    turns.push({ ...turn.turn, seen: await look() });
  }
  throw failed(`it was not done within ${counted(given.maxSteps, "step")}`, { max_steps: given.maxSteps });

  async function makeTurn(answer: Answer): Promise<{ result: AgentResult } | { turn: Turn; isIdle: boolean }> {
    const outcomes: Outcome[] = [];
    const deeds: Deed[] = [];
    let picture: Uint8Array | null = null;
    let isIdle = true;
    const decidedOn = await deps.view.stamp();
    const add = (call: Outcome["call"], text: string, long = false) =>
      void outcomes.push({ call: { ...call, input: toInput(call.input) }, text, long });
    for (const [i, call] of answer.calls.entries()) {
      const isStale = i > 0 && (await deps.view.stamp()) !== decidedOn;
      if (isStale) {
        add(call, SKIPPED);
        continue;
      }
      const intent = parseCall(call.name, call.input);
      isIdle &&= intent.kind === "malformed" || intent.kind === "done";
      if (intent.kind === "give_up") throw failed(deps.redact(intent.reason));
      if (intent.kind === "take_over") add(call, await takeOver());
      else if (intent.kind === "done") {
        const refused = await whyNotDone(intent);
        if (refused === null) return { result: { summary: intent.summary, data: intent.data, extracted, tookOver } };
        add(call, refused);
      } else {
        const doing = await performCall(intent, deps);
        add(call, doing.text, doing.long);
        deeds.push(...doing.deeds);
        extracted.push(...doing.extracted);
        picture = doing.picture ?? picture;
      }
    }
    const note = outcomes.length === 0 ? NO_CALL : null;
    return { turn: { text: answer.text, outcomes, note, seen: null, picture, deeds }, isIdle };
  }

  async function whyNotDone({ data, evidence }: Extract<Intent, { kind: "done" }>): Promise<string | null> {
    if (task.needsText && extracted.length === 0) return "Not accepted: a text is to be read; use extract.";
    const expected = task.verify ?? evidence;
    if (expected === null) return NO_EVIDENCE;
    try {
      await deps.verify(expected);
    } catch (error) {
      if (deps.signal.aborted || endsRun(error)) throw error;
      return `Not accepted:\n${untrusted(cleanError((error as AppError).message, deps))}`;
    }
    const wrong = await task.checkData?.(data);
    return wrong ? `Not accepted: data ${deps.redact(wrong)}` : null;
  }

  async function takeOver(): Promise<string> {
    if (task.takeOver === null) return "Not possible here.";
    const taken = await task.takeOver();
    if ("refused" in taken) return `Not accepted: ${deps.redact(taken.refused)}`;
    task = { ...task, ...taken, needsText: false, takeOver: null };
    tookOver = true;
    return "All steps that are left are yours now; the task says which.";
  }
}

/** What the model gave that is no object cannot be sent back to it as one. */
const toInput = (input: unknown): unknown => (typeof input === "object" && input !== null && !Array.isArray(input) ? input : {});

const failed = (why: string, details: Record<string, unknown> = {}): AppError =>
  new AppError("STEP_FAILED", `The agent did not do it: ${why}`, { details });
