import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { mergeGuardrails } from "../../pool/guardrails/merge.ts";
import { applyRules, INITIAL_STATE, RULES } from "../../pool/guardrails/rules.ts";
import { type Attempted, fingerprint, judgeStuck, NOT_STUCK } from "../../pool/guardrails/stuck.ts";
import type { Action } from "../../shared/action.ts";
import type { GuardrailsInput } from "../../shared/guardrails.ts";
import { rounds } from "../support/rounds.ts";
import { guardrailsOf } from "./lab.ts";

const LIMITS = guardrailsOf({});

/**
 * A recorded list: one letter an action (`n`, `b`: clicks, `/x`: goto), `!` behind it for one that failed.
 * Verdicts in the same writing: `.` none, then rule and kind.
 */
function replay(list: string, set: GuardrailsInput = {}, granted = false): string {
  const limits = guardrailsOf(set);
  let state = NOT_STUCK;
  return list
    .split(" ")
    .map((word) => {
      const success = !word.endsWith("!");
      const name = word.replace("!", "");
      const done: Attempted = { fingerprint: name, urls: name.startsWith("/") ? [name] : [], success, granted };
      const judged = judgeStuck(state, done, limits);
      state = judged.state;
      return judged.verdict ? `${judged.verdict.rule.replace("stuck_", "")}:${judged.verdict.kind}` : ".";
    })
    .join(" ");
}

describe("judgeStuck, on recorded lists", () => {
  it.each<[string, string, string, GuardrailsInput?]>([
    [
      "the same action: hint, warning, stop by the length of the row",
      "n n n n n n n",
      ". . repeat:hint repeat:hint repeat:warning repeat:warning repeat:stop",
    ],
    ["whether it worked does not matter to repetition", "n n! n", ". . repeat:hint"],
    ["what stands between breaks the row", "n n b n n b", ". . . . . ."],
    [
      "the thresholds that were set",
      "n n n n",
      ". repeat:hint repeat:warning repeat:stop",
      { stuck_repeat_hint: 2, stuck_repeat_warn: 3, stuck_repeat_stop: 4 },
    ],
    ["a cycle of two: by how stuck the run already was", "a b a b a b a b", ". . . . . cycle:hint cycle:warning cycle:stop"],
    ["a cycle of three fits into the window of 12", "a b c a b c a b c", ". . . . . . . . cycle:hint"],
    ["a cycle longer than it looks for", "a b c d a b c d a b c d", ". . . . . . . . . . . ."],
    ["it decays: one clean action takes one level back", "a b a b a b x y a b a b a b", ". . . . . cycle:hint . . . . . . . cycle:hint"],
    ["failures, once the window of five is full, whatever was tried", "a! b! c! d e", ". . . . failures:hint"],
    [
      "failures go before repetition, and end the run when it goes on",
      "a! a! a! a! a! a! a!",
      ". . repeat:hint repeat:hint failures:stop failures:stop failures:stop",
    ],
    ["two failures in five are none", "a! b c! d e f g", ". . . . . . ."],
    ["a URL of five actions before", "/1 a b c d /1", ". . . . . revisit:hint"],
    ["not one of four actions before", "/1 a b c /1", ". . . . ."],
    ["any earlier visit counts, not only the latest", "/1 a b /1 c /1", ". . . . . revisit:hint"],
    ["what failed was no visit", "/1! a b c d /1", ". . . . . ."],
    ["it does not fire again on what follows", "/1 a b c d /1 e f", ". . . . . revisit:hint . ."],
  ])("%s", (_, list, verdicts, set) => {
    expect(replay(list, set)).toBe(verdicts);
  });

  it("never ends a run for going back, however stuck it is", () => {
    const verdicts = replay(`${"/1 /2 /3 /4 /5 /6 ".repeat(8)}/1`, { stuck_cycle_max_length: 3 }).split(" ");
    expect(new Set(verdicts)).toEqual(new Set([".", "revisit:hint", "revisit:warning"]));
  });

  it("grants its author repeats, cycles and ways back, not failures", () => {
    expect(replay("n n n n n n n n n", {}, true)).toBe(". . . . . . . . .");
    expect(replay("a b a b a b a b /1 a b c d /1", {}, true)).not.toMatch(/hint|stop/);
    expect(replay("a! b! c! d! e! f! g!", {}, true)).toBe(". . . . failures:hint failures:warning failures:stop");
  });
});

describe("fingerprint", () => {
  const act = (action: string, params: object, primary?: string) =>
    ({ action, params, selector: primary ? { primary, fallbacks: [], description: null } : null, timeout_ms: null }) as Action;

  it("tells what is done to what, in any case of letters, and not what is typed", () => {
    expect(fingerprint(act("click", {}, "#Next"))).toBe(fingerprint(act("click", {}, "#next")));
    expect(fingerprint(act("goto", { url: "http://A.test/" }))).toBe(fingerprint(act("goto", { url: "http://a.test/" })));
    const typed = (params: object) => fingerprint(act("key_press", params, "#q"));
    expect(typed({ text: "one" })).toBe(typed({ text: "two" }));
    expect(typed({ text: "one" })).toBe(typed({ credential_ref: "pin" }));
    expect(typed({ text: "one" })).not.toBe(typed({ key: "Enter" }));
    expect(typed({ key: "Tab" })).not.toBe(typed({ key: "Enter" }));
    expect(fingerprint(act("evaluate", { expression: "1" }))).not.toBe(fingerprint(act("evaluate", { expression: "2" })));
    expect(fingerprint(act("scroll", { direction: "up" }))).toBe("scroll");
  });
});

describe("as a rule of the run", () => {
  const click: Action = {
    action: "click",
    selector: { primary: "#n", fallbacks: [], description: null },
    params: { button: "left", click_count: 1 },
    timeout_ms: null,
  };
  const kinds = (count: number, set: GuardrailsInput, part: { origin: "author" | "agent"; more?: (i: number) => boolean }) => {
    let state = INITIAL_STATE;
    return Array.from({ length: count }, (_, i) => {
      const done = { action: click, success: true, origin: part.origin, more: part.more?.(i) ?? false };
      const judged = applyRules(RULES, state, (rule, so) => rule.after?.(so, done, guardrailsOf(set)));
      state = judged.state;
      return judged.verdict?.kind ?? null;
    });
  };

  it("binds what is improvised by default, and the author too once somebody sets a limit", () => {
    expect(kinds(7, {}, { origin: "agent" }).at(-1)).toBe("stop");
    expect(kinds(12, {}, { origin: "author" })).toEqual(Array(12).fill(null));
    expect(kinds(4, { stuck_repeat_hint: 2, stuck_repeat_warn: 3, stuck_repeat_stop: 4 }, { origin: "author" }).at(-1)).toBe("stop");
    expect(kinds(7, { stuck_applies_to: "all" }, { origin: "author" }).at(-1)).toBe("stop");
    expect(kinds(7, { stuck_applies_to: "improvised", stuck_repeat_stop: 6 }, { origin: "author" }).at(-1)).toBeNull();
    const merged = mergeGuardrails({ operator: { stuck_applies_to: "all" }, request: { stuck_applies_to: "improvised" } });
    expect(merged.stuck_applies_to).toBe("all");
  });

  it("counts a sequence as one action", () => {
    const more = (i: number) => i % 8 !== 7;
    expect(kinds(16, { stuck_applies_to: "all" }, { origin: "author", more })).toEqual(Array(16).fill(null));
    expect(kinds(24, {}, { origin: "agent", more }).at(-1)).toBe("hint");
  });
});

it("never throws, and says the same of the same list, on thousands of lists and any limits that hold together", () => {
  const attempted = fc.record({
    fingerprint: fc.constantFrom("a", "b", "c", "d", "goto /1", ""),
    urls: fc.array(fc.constantFrom("/1", "/2", "/3"), { maxLength: 2 }),
    success: fc.boolean(),
    granted: fc.boolean(),
  });
  const limits = fc.constantFrom(
    LIMITS,
    guardrailsOf({ stuck_window_size: 50, stuck_cycle_max_length: 10, stuck_cycle_repeats: 2, stuck_revisit_gap: 1 }),
    guardrailsOf({
      stuck_failure_cluster_window: 2,
      stuck_failure_cluster_threshold: 1,
      stuck_repeat_hint: 2,
      stuck_repeat_warn: 3,
      stuck_repeat_stop: 4,
    }),
  );
  const run = (list: Attempted[], set: typeof LIMITS) => {
    let state = NOT_STUCK;
    return list.map((done) => {
      const judged = judgeStuck(state, done, set);
      expect(judged.state.window.length).toBeLessThanOrEqual(set.stuck_window_size);
      state = judged.state;
      return judged.verdict;
    });
  };
  fc.assert(
    fc.property(fc.array(attempted, { maxLength: 40 }), limits, (list, set) => {
      expect(run(list, set)).toEqual(run(list, set));
    }),
    rounds(3_000),
  );
  expect(NOT_STUCK).toEqual({ window: [], outcomes: [], visits: new Map(), count: 0, level: 0 });
});
