import { expect, it, vi } from "vitest";
import { bindPlaybook, bindStep } from "../../pool/playbook/bind.ts";
import { parsePlaybook } from "../../pool/playbook/load.ts";
import { createLessons } from "../../pool/session/lessons.ts";
import { AppError } from "../../shared/errors.ts";
import type { StepResult } from "../../shared/run.ts";
import { quiet } from "../support/run-fixtures.ts";

const PLAYBOOK = parsePlaybook(`id: shop
steps:
  - { action: click, selector: "#buy", verify: { expect_text_on_page: Bought } }
  - { action: click, selector: "#pay", once: true, verify: { expect_text_on_page: Thanks } }
  - { action: click, selector: "#close", verify: { expect_text_on_page: Bye } }
`);

type Parts = Parameters<typeof createLessons>[0];

/** A run's lessons, on a page that answers each action with `act`; every step has a proposal on trial, named after it. */
function learning({ act = async () => ({ text: null }), known = true }: { act?: () => Promise<{ text: null }>; known?: boolean } = {}) {
  const tried = vi.fn(async (_id: string, _proposalId: string, _clean: boolean) => {});
  const onTrial = vi.fn(async (_: unknown, index: number) => {
    if (!known) throw new Error("The store is away");
    return { proposalId: `p${index}`, step: { ...PLAYBOOK.steps[index], selector: { primary: "#new", fallbacks: [], description: null } } };
  });
  const doing = vi.fn(act);
  const bound = bindPlaybook(PLAYBOOK, { params: {}, credentialNames: [] });
  const stop = new AbortController();
  const lessons = createLessons({
    stage: { signal: stop.signal, redactor: { text: (text: string) => text }, warn: () => {} } as unknown as Parts["stage"],
    deps: { ledger: { count: () => {} }, proposals: { isInstalled: () => true, onTrial, tried }, log: quiet } as unknown as Parts["deps"],
    bound,
    act: doing as unknown as Parts["act"],
    verify: async () => {},
  });
  if (!lessons) throw new Error("not installed");
  const trial = (index: number) =>
    lessons.trial({
      playbook: PLAYBOOK,
      step: bindStep(bound, index, {}),
      error: new AppError("STEP_FAILED", "It is not there"),
      dispatched: false,
      spend: () => {},
    });
  const result = (index: number, more: Partial<StepResult> = {}) =>
    lessons.result({ index, success: true, attempts: 2, recovery_used: true, duration_ms: 1, ...more } as StepResult);
  return { lessons, trial, result, doing, outcomes: () => tried.mock.calls.map(([, id, clean]) => [id, clean]), stop };
}

it("tries nothing of a step that may happen only once, whether or not its input went out before", async () => {
  const { trial, doing } = learning();
  expect(await trial(1)).toBeNull();
  expect(doing).not.toHaveBeenCalled();
  expect(await trial(0)).toEqual({ text: null });
});

it("counts a refused trial as a failed one and leaves the step to the agent; what ends the run is told, and counts too", async () => {
  const refusing = (kind: string) => async () => {
    throw new AppError("GUARDRAIL_BLOCKED", "No", { details: { kind } });
  };
  const blocked = learning({ act: refusing("block") });
  expect(await blocked.trial(0)).toBeNull();
  expect(blocked.outcomes()).toEqual([["p0", false]]);
  const stopped = learning({ act: refusing("stop") });
  await expect(stopped.trial(0)).rejects.toMatchObject({ code: "GUARDRAIL_BLOCKED" });
  expect(stopped.outcomes()).toEqual([["p0", false]]);
});

it("counts a run as clean where all of it completed and no step needed an agent", async () => {
  const clean = learning();
  await clean.trial(0);
  clean.result(0);
  clean.result(2, { recovery_used: false });
  await clean.lessons.settled(true);
  expect(clean.outcomes()).toEqual([["p0", true]]);

  const failed = learning();
  await failed.trial(0);
  failed.result(0);
  await failed.lessons.settled(false);
  expect(failed.outcomes()).toEqual([["p0", false]]);

  const repairedElsewhere = learning();
  await repairedElsewhere.trial(0);
  repairedElsewhere.result(0);
  repairedElsewhere.result(2);
  await repairedElsewhere.lessons.settled(true);
  expect(repairedElsewhere.outcomes()).toEqual([["p0", false]]);
});

it("leaves the step to the agent while the store is away", async () => {
  expect(await learning({ known: false }).trial(0)).toBeNull();
});
