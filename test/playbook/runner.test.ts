import { describe, expect, it } from "vitest";
import { ActionError } from "../../pool/actions/action-error.ts";
import { type BindInput, bindPlaybook } from "../../pool/playbook/bind.ts";
import { parsePlaybook } from "../../pool/playbook/load.ts";
import type { ActInfo, RunnerDeps, StepFailure, StepNotice } from "../../pool/playbook/run-step.ts";
import { runPlaybook } from "../../pool/playbook/runner.ts";
import { createLog } from "../../pool/telemetry/log.ts";
import type { Action } from "../../shared/action.ts";
import { AppError } from "../../shared/errors.ts";
import type { Verify } from "../../shared/playbook.ts";
import type { StepResult } from "../../shared/run.ts";

type Act = (action: Action, nth: number, info: ActInfo) => string | null | Promise<string | null>;
type Script = {
  act?: Act;
  verify?: (verify: Verify, nth: number) => void | Promise<void>;
  answer?: (prompt: string, text: string) => string;
  recover?: (failure: StepFailure) => { text: string | null } | Promise<{ text: string | null }>;
  signal?: AbortSignal;
  deps?: Partial<RunnerDeps>;
  bind?: Partial<BindInput>;
};

/** Runs the steps against a scripted page, and notes all that was asked of it. */
async function run(steps: object[], script: Script = {}, parameters: object[] = []) {
  const bound = bindPlaybook(parsePlaybook({ id: "a", name: "Try", parameters, steps }), { credentialNames: [], ...script.bind });
  const seen = {
    acts: [] as Action[],
    verified: 0,
    notices: [] as StepNotice[],
    results: [] as StepResult[],
    failures: [] as StepFailure[],
    pauses: [] as number[],
    logs: [] as string[],
  };
  const outcome = await runPlaybook(bound, {
    async act(action, info) {
      seen.acts.push(action);
      return { text: (await script.act?.(action, seen.acts.length, info)) ?? null };
    },
    async verify(verify) {
      seen.verified += 1;
      await script.verify?.(verify, seen.verified);
    },
    answer: async ({ prompt, text, spend }) => {
      spend({ model: "m", input_tokens: 5, output_tokens: 2, cost_usd: null });
      if (script.answer) return script.answer(prompt, text);
      throw new AppError("LLM_ERROR", "No model is configured");
    },
    async recover(failure) {
      seen.failures.push(failure);
      if (!script.recover) throw new AppError("LLM_ERROR", "No model is configured");
      return script.recover(failure);
    },
    onStep: (notice) => void seen.notices.push(notice),
    onResult: (result) => void seen.results.push(result),
    pause: async (ms) => void seen.pauses.push(ms),
    signal: script.signal ?? new AbortController().signal,
    log: createLog("error", {}, (line) => seen.logs.push(line)),
    ...script.deps,
  });
  return { ...seen, outcome, states: seen.notices.map(({ index, state, attempt }) => `${index} ${state} ${attempt}`) };
}

const fail = (message: string, options?: ConstructorParameters<typeof ActionError>[1]): never => {
  throw new ActionError(message, options);
};
const failFirst =
  (times: number, options?: ConstructorParameters<typeof ActionError>[1]): Act =>
  (_action, nth) =>
    nth <= times ? fail(`Failure ${nth}`, options) : null;
const click = (more: object = {}) => ({ action: "click", selector: "#a", description: "Click a", ...more });
const extract = (store_as?: string) => ({ action: "extract", selector: "#a", ...(store_as ? { store_as } : {}) });
const verify = { expect_text_on_page: "Done" };

describe("llm_extract", () => {
  it("gives what a model found in the page's text, counts what that cost, and is not tried again: the model was asked often enough", async () => {
    const step = { action: "llm_extract", params: { prompt: "The total of {item}" }, store_as: "total", on_failure: "retry" };
    const ask = [{ name: "item", default: "tea" }];
    const answer = (prompt: string, text: string) => `${prompt}|${text}`;
    const { outcome, acts, results } = await run([step, click({ description: "{total}" })], { act: () => "Tea $4", answer }, ask);
    expect(acts[0]).toMatchObject({ action: "extract", selector: { primary: "body" }, params: { mode: "markdown" } });
    expect(outcome).toMatchObject({ success: true, extracted_texts: ["The total of tea|Tea $4"] });
    expect(results).toMatchObject([{ usage: { input_tokens: 5, output_tokens: 2 } }, { description: "The total of tea|Tea $4" }]);
    const failing = await run([step], { act: () => "Tea" }, ask);
    expect([failing.acts.length, failing.pauses.length, failing.outcome.error?.code]).toEqual([1, 0, "LLM_ERROR"]);
  });
});

describe("a run without trouble", () => {
  it("does each step in its turn, tells of each, and ends with the last text", async () => {
    const { outcome, states, results, acts } = await run([click(), extract(), click()], {
      act: (action) => (action.action === "extract" ? "$42" : null),
    });
    expect(acts.map(({ action }) => action)).toEqual(["click", "extract", "click"]);
    expect(states).toEqual(["0 started 1", "0 completed 1", "1 started 1", "1 completed 1", "2 started 1", "2 completed 1"]);
    expect(outcome).toMatchObject({ success: true, result: "$42", extracted_texts: ["$42"], error: null });
    expect(outcome.step_results).toEqual(results);
    expect(results[1]).toEqual({
      index: 1,
      action: "extract",
      description: "extract",
      success: true,
      attempts: 1,
      duration_ms: expect.any(Number),
      error: null,
      raw_error: null,
      recovery_used: false,
      extracted_text: "$42",
      usage: null,
    });
  });

  it("says that it is done when there is no text", async () => {
    expect((await run([click(), click()])).outcome.result).toBe('Playbook "Try" completed, 2 steps');
  });

  it("leaves empty texts out, and takes none from actions that only report", async () => {
    const texts = ["", "clicked", "b"];
    const { outcome } = await run([extract(), click(), { action: "evaluate", params: { expression: "1" } }], {
      act: (_action, nth) => texts[nth - 1] as string,
    });
    expect(outcome.extracted_texts).toEqual(["b"]);
  });

  it("hands stored texts to later steps, and values to expressions, but no credentials", async () => {
    const values: unknown[] = [];
    const { acts } = await run(
      [
        extract("total"),
        { action: "key_press", params: { text: "{total}/{n}" } },
        { action: "evaluate", params: { expression: "params" } },
      ],
      {
        act: (action, _nth, info) => {
          values.push(info.values);
          return action.action === "extract" ? "{n}" : null;
        },
        bind: { params: { n: 5 }, credentialNames: ["secret"] },
      },
      [{ name: "n", type: "int" }],
    );
    expect(acts[1]?.params).toEqual({ text: "{n}/5" });
    expect(values[2]).toEqual({ n: 5, total: "{n}" });
  });

  it("verifies after the action, every time", async () => {
    const order: string[] = [];
    const note = (what: string) => {
      order.push(what);
      return null;
    };
    await run([click({ verify }), click({ verify })], { act: () => note("act"), verify: () => void note("verify") });
    expect(order).toEqual(["act", "verify", "act", "verify"]);
  });

  it("passes the typed text of a credential on by name", async () => {
    const typed: unknown[] = [];
    await run([{ action: "key_press", params: { text: "a{credentials.pin}" } }], {
      act: (_action, _nth, info) => {
        typed.push(info.typed);
        return null;
      },
      bind: { credentialNames: ["pin"] },
    });
    expect(typed).toEqual([["a", { credential: "pin" }]]);
  });
});

describe("a failing step", () => {
  it("is tried once with abort", async () => {
    const { outcome, acts, pauses, states } = await run([click({ on_failure: "abort" }), click()], { act: failFirst(9) });
    expect(acts).toHaveLength(1);
    expect(pauses).toEqual([]);
    expect(states).toEqual(["0 started 1", "0 failed 1"]);
    expect(outcome).toMatchObject({ success: false, result: null, error: { code: "STEP_FAILED", message: "Step 1 (Click a): Failure 1" } });
    expect(outcome.error?.details).toEqual({ step: 0, raw_error: "Failure 1" });
    expect(outcome.step_results).toMatchObject([
      { success: false, attempts: 1, error: "Failure 1", raw_error: "Failure 1", recovery_used: false },
    ]);
  });

  it("is tried once more after a second with retry", async () => {
    const twice = await run([click({ on_failure: "retry" })], { act: failFirst(9) });
    expect(twice.pauses).toEqual([1000]);
    expect(twice.states).toEqual(["0 started 1", "0 failed 1", "0 started 2", "0 failed 2"]);
    expect(twice.outcome.step_results).toMatchObject([{ attempts: 2, error: "Failure 2" }]);
    const healed = await run([click({ on_failure: "retry" })], { act: failFirst(1) });
    expect(healed.states).toEqual(["0 started 1", "0 failed 1", "0 started 2", "0 completed 2"]);
    expect(healed.outcome.step_results).toMatchObject([{ success: true, attempts: 2, error: null, recovery_used: false }]);
  });

  it("counts as failed when its verification fails, and is done again", async () => {
    const { outcome, acts, verified } = await run([click({ on_failure: "retry", verify })], {
      verify: (_v, nth) => (nth === 1 ? fail("Verification failed: no text") : undefined),
    });
    expect([acts.length, verified, outcome.success]).toEqual([2, 2, true]);
  });

  it("is in the results before the run returns, with later steps untouched", async () => {
    const { outcome, results } = await run([extract(), click({ on_failure: "abort" }), click()], {
      act: (action) => (action.action === "click" ? fail("No") : "text"),
    });
    expect(results.map(({ index, success }) => [index, success])).toEqual([
      [0, true],
      [1, false],
    ]);
    expect(outcome.extracted_texts).toEqual(["text"]);
  });

  it("shows its failure_message, bound, with the raw error beside it", async () => {
    const { outcome, notices } = await run(
      [click({ on_failure: "retry", failure_message: "Order {id} timed out at the model" })],
      { act: failFirst(9), bind: { params: { id: 7 } } },
      [{ name: "id", type: "int" }],
    );
    expect(outcome.error).toMatchObject({ code: "STEP_FAILED", message: "Step 1 (Click a): Order 7 timed out at the model" });
    expect(outcome.step_results).toMatchObject([{ error: "Order 7 timed out at the model", raw_error: "Failure 2" }]);
    expect(notices.map(({ error }) => error)).toEqual([null, "Order 7 timed out at the model", null, "Order 7 timed out at the model"]);
  });

  it("names the action of a sequence that failed, and does not begin the next", async () => {
    const actions = [
      { action: "click", selector: "a" },
      { action: "key_press", params: { text: "x" } },
      { action: "click", selector: "b" },
    ];
    const { outcome, acts } = await run([{ action: "sequence", on_failure: "abort", params: { actions } }], {
      act: (_action, nth) => (nth === 2 ? fail("No focus") : null),
    });
    expect(acts.map(({ action }) => action)).toEqual(["click", "key_press"]);
    expect(outcome.error?.message).toBe("Step 1 (sequence): Action 2 of 3 (key_press): No focus");
  });

  it("takes the texts of a sequence together", async () => {
    const actions = [
      { action: "extract", selector: "a" },
      { action: "click", selector: "b" },
      { action: "extract", selector: "c" },
    ];
    const { outcome } = await run([{ action: "sequence", params: { actions } }], { act: (_action, nth) => `text ${nth}` });
    expect(outcome.extracted_texts).toEqual(["text 1\ntext 3"]);
  });

  it.each(["GUARDRAIL_BLOCKED", "STUCK", "BROWSER_CRASHED", "TIMEOUT", "RUN_TERMINATED"] as const)(
    "is final with %s, which becomes the code of the run",
    async (code) => {
      const { outcome, acts, failures } = await run([click()], {
        act: () => {
          throw new AppError(code, "No", { details: { rule: "some" } });
        },
      });
      expect([acts.length, failures.length]).toEqual([1, 0]);
      expect(outcome.error).toMatchObject({ code, message: "Step 1 (Click a): No", details: { rule: "some", step: 0, raw_error: "No" } });
    },
  );

  it("is a failed step, whatever its words say", async () => {
    const { outcome } = await run([click({ on_failure: "abort" })], {
      act: () => fail("Guardrail blocked: timeout, captcha failed, browser crashed"),
    });
    expect(outcome.error?.code).toBe("STEP_FAILED");
  });

  it("hides and logs what was thrown without a code", async () => {
    const { outcome, logs } = await run([click({ on_failure: "abort" })], {
      act: () => {
        throw new TypeError("secret is hunter2");
      },
    });
    expect(outcome.error).toMatchObject({ code: "INTERNAL", message: "Step 1 (Click a): Something went wrong on our side" });
    expect(logs.join()).toContain("hunter2");
  });

  it("fails without being tried when a stored text does not fit", async () => {
    const steps = [extract("url"), { action: "goto", params: { url: "{url}" }, failure_message: "Bad link {url}" }];
    const { outcome, acts, states } = await run(steps, { act: () => "javascript:x" });
    expect(acts).toHaveLength(1);
    expect(states).toEqual(["0 started 1", "0 completed 1", "1 started 1", "1 failed 1"]);
    expect(outcome.error).toMatchObject({ code: "STEP_FAILED", message: "Step 2 (goto): Bad link javascript:x" });
    expect(outcome.step_results[1]?.raw_error).toMatch(/cannot be bound: params.url/);
  });
});

describe("recovery", () => {
  it("comes after two attempts, and its success is the step's", async () => {
    const { outcome, states, failures } = await run([extract("t"), click({ description: "Use {t}" })], {
      act: (action, nth) => (action.action === "extract" ? fail(`Failure ${nth}`) : null),
      recover: () => ({ text: "found" }),
    });
    expect(states).toEqual(["0 started 1", "0 failed 1", "0 started 2", "0 completed 2", "1 started 1", "1 completed 1"]);
    expect(failures[0]).toMatchObject({ step: { index: 0 }, error: { message: "Failure 2" }, dispatched: false });
    expect(outcome).toMatchObject({ success: true, extracted_texts: ["found"] });
    expect(outcome.step_results).toMatchObject([
      { success: true, attempts: 2, recovery_used: true, extracted_text: "found", error: null },
      { description: "Use found", recovery_used: false },
    ]);
  });

  it("that fails is named beside the step's own error", async () => {
    const { outcome } = await run([click({ failure_message: "Cannot cancel" })], { act: failFirst(9) });
    expect(outcome.error).toMatchObject({
      code: "STEP_FAILED",
      message: "Step 1 (Click a): step error: Cannot cancel; recovery error: No model is configured",
      details: { raw_error: "step error: Failure 2; recovery error: No model is configured" },
    });
    expect(outcome.step_results).toMatchObject([{ success: false, attempts: 2, recovery_used: true }]);
  });

  it("that nobody could do is none: the step's own error stands alone", async () => {
    const { outcome } = await run([click({})], { act: failFirst(9), deps: { recover: async () => null } });
    expect(outcome.error).toMatchObject({ code: "STEP_FAILED", message: "Step 1 (Click a): Failure 2" });
    expect(outcome.step_results).toMatchObject([{ recovery_used: false, raw_error: expect.stringContaining("no model is configured") }]);
  });

  it("is verified like the step itself", async () => {
    const { outcome } = await run([click({ verify })], {
      verify: () => fail("Verification failed: no text"),
      recover: () => ({ text: null }),
    });
    expect(outcome.error?.message).toBe(
      "Step 1 (Click a): step error: Verification failed: no text; recovery error: Verification failed: no text",
    );
  });

  it("counts the tokens of the step and its own, whatever the end", async () => {
    const usage = (input_tokens: number, cost_usd: number | null) => ({ model: "m", input_tokens, output_tokens: 1, cost_usd });
    const { outcome } = await run([click()], {
      act: (_action, nth, info) => {
        info.spend(usage(nth, null));
        return fail("No");
      },
      recover: ({ spend }) => {
        spend(usage(100, 0.5));
        return fail("Not either");
      },
    });
    expect(outcome.step_results[0]?.usage).toEqual({ model: "m", input_tokens: 103, output_tokens: 3, cost_usd: 0.5 });
  });

  it("that kills the run gives the run its code", async () => {
    const { outcome } = await run([click()], { act: failFirst(9), recover: () => fail("Chrome is gone", { code: "BROWSER_CRASHED" }) });
    expect(outcome.error?.code).toBe("BROWSER_CRASHED");
  });
});

describe("a step that may happen only once", () => {
  const once = (more: object = {}) => click({ once: true, ...more });
  const sent = { dispatched: true };

  it("is tried again while no input was sent", async () => {
    const { outcome, acts } = await run([once()], { act: failFirst(1, { dispatched: false }) });
    expect([acts.length, outcome.success]).toEqual([2, true]);
  });

  it("is not repeated after its input was sent when nothing can tell whether it worked", async () => {
    for (const on_failure of ["retry", "llm_recover"]) {
      const { outcome, acts, failures, states } = await run([once({ on_failure })], { act: failFirst(9, sent) });
      expect([acts.length, failures.length]).toEqual([1, 0]);
      expect(states).toEqual(["0 started 1", "0 failed 1"]);
      expect(outcome.error?.message).toMatch(/^Step 1 \(Click a\): Failure 1; not tried again: the step may happen only once/);
    }
  });

  it("is done when its verification says so, without being repeated", async () => {
    const { outcome, acts, verified } = await run([once({ verify })], { act: failFirst(9, sent) });
    expect([acts.length, verified, outcome.success]).toEqual([1, 1, true]);
    expect(outcome.step_results).toMatchObject([{ attempts: 2, recovery_used: false }]);
  });

  it("waits for a slow verification instead of being repeated", async () => {
    const { outcome, acts, verified } = await run([once({ verify })], { verify: (_v, nth) => (nth === 1 ? fail("Not yet") : undefined) });
    expect([acts.length, verified, outcome.success]).toEqual([1, 2, true]);
  });

  it("is repeated once its verification has denied it", async () => {
    const { outcome, acts } = await run([once({ verify })], { verify: (_v, nth) => (nth <= 2 ? fail("No") : undefined) });
    expect([acts.length, outcome.success]).toEqual([2, true]);
  });

  it("is asked for its verification before it is handed to recovery", async () => {
    // sent and broke off, denied, sent again and broke off, now it holds
    const { outcome, acts, failures } = await run([once({ verify })], {
      act: failFirst(9, sent),
      verify: (_v, nth) => (nth === 1 ? fail("No") : undefined),
    });
    expect([acts.length, failures.length, outcome.success]).toEqual([2, 0, true]);
  });

  it("takes an error that does not say for one after input", async () => {
    const { acts } = await run([once()], {
      act: () => {
        throw new Error("?");
      },
    });
    expect(acts).toHaveLength(1);
  });

  it("counts input of an earlier action of its sequence", async () => {
    const actions = [
      { action: "click", selector: "a" },
      { action: "wait_for", selector: "b" },
    ];
    const { acts } = await run([{ action: "sequence", once: true, params: { actions } }], {
      act: (action) => (action.action === "wait_for" ? fail("Not there") : null),
    });
    expect(acts).toHaveLength(2);
    const looking = [
      { action: "wait_for", selector: "a" },
      { action: "extract", selector: "b" },
    ];
    const again = await run([{ action: "sequence", once: true, on_failure: "retry", params: { actions: looking } }], {
      act: (_action, nth) => (nth === 2 ? fail("Not there") : null),
    });
    expect([again.acts.length, again.outcome.success]).toEqual([4, true]);
  });
});

describe("the end of the run's signal", () => {
  const reason = new AppError("RUN_TERMINATED", "The run was stopped by request");

  it("ends the step in flight at once, with the signal's reason, and keeps it in the results", async () => {
    const stop = new AbortController();
    const { outcome, states, failures } = await run([extract(), click({ failure_message: "Cannot click" })], {
      signal: stop.signal,
      act: (action) => {
        if (action.action === "extract") return "text";
        stop.abort(reason);
        return new Promise(() => {}); // a page that never answers
      },
    });
    expect(outcome.error).toBe(reason);
    expect(outcome.extracted_texts).toEqual(["text"]);
    expect(outcome.step_results).toMatchObject([
      { success: true },
      { success: false, error: reason.message, raw_error: reason.message, recovery_used: false },
    ]);
    expect([states.at(-1), failures.length]).toEqual(["1 failed 1", 0]);
  });

  it("wins over what broke on its way", async () => {
    const stop = new AbortController();
    const { outcome } = await run([click()], {
      signal: stop.signal,
      act: () => {
        stop.abort(reason);
        return fail("Target closed");
      },
    });
    expect(outcome.error).toBe(reason);
  });

  it("ends the pause before a retry, a verification and a recovery", async () => {
    for (const where of ["pause", "verify", "recover"] as const) {
      const stop = new AbortController();
      const hang = () => {
        stop.abort(reason);
        return new Promise<never>((_, reject) => where === "pause" && reject(stop.signal.reason));
      };
      const { outcome } = await run([click(where === "verify" ? { verify } : {})], {
        signal: stop.signal,
        act: () => (where === "verify" ? null : fail("No")),
        ...(where === "verify" ? { verify: hang } : {}),
        ...(where === "recover" ? { recover: hang } : {}),
        deps: where === "pause" ? { pause: hang } : {},
      });
      expect(outcome.error).toBe(reason);
      expect(outcome.step_results).toMatchObject([{ success: false, error: reason.message }]);
    }
  });

  it("begins no further step", async () => {
    const stop = new AbortController();
    const { outcome, acts } = await run([click(), click()], { signal: stop.signal, deps: { onResult: () => stop.abort(reason) } });
    expect([acts.length, outcome.step_results.length]).toEqual([1, 1]);
    expect(outcome.error).toBe(reason);
  });

  it("needs no error of ours as its reason", async () => {
    const { outcome } = await run([click()], { signal: AbortSignal.abort() });
    expect(outcome).toMatchObject({ success: false, step_results: [], error: { code: "RUN_TERMINATED" } });
  });
});

it("goes on when whoever listens throws, now or later, and logs it", async () => {
  const { outcome, logs } = await run([click(), click()], {
    deps: {
      onStep: () => {
        throw new Error("Broken listener");
      },
      onResult: (async () => {
        throw new Error("Late listener");
      }) as RunnerDeps["onResult"],
    },
  });
  await new Promise((resolve) => setImmediate(resolve));
  expect(outcome.success).toBe(true);
  expect(logs.filter((line) => line.includes("Broken listener"))).toHaveLength(4);
  expect(logs.filter((line) => line.includes("Late listener"))).toHaveLength(2);
});
