import { describe, expect, it } from "vitest";
import { goalTypeOf } from "../../pool/agent/goal-type.ts";
import { AppError } from "../../shared/errors.ts";
import type { GoalType } from "../../shared/guardrails.ts";

/** What it comes to, and how often the model was asked. */
async function goal(directive: string, answer: string | Error, floor?: GoalType): Promise<[GoalType, number]> {
  let asked = 0;
  const ask = async () => {
    asked += 1;
    if (answer instanceof Error) throw answer;
    return { text: answer, calls: [] };
  };
  const { signal } = new AbortController();
  return [await goalTypeOf(directive, { ask: ask as never, redact: (text) => text, signal }, floor), asked];
}

describe("what a directive is for", () => {
  it("is said by its words where they leave no doubt, and no model is asked", async () => {
    expect(await goal("Sign in and tell me how many orders there are", "read")).toEqual(["interact", 0]);
    expect(await goal("Fill in the contact form", "read")).toEqual(["fill_form", 0]);
    expect(await goal("Storniere die Bestellung 12345", "read")).toEqual(["interact", 0]);
    expect(await goal("Look at the page", "read", "interact")).toEqual(["interact", 0]);
  });

  it("is else a model's word, and what is no such word narrows nothing", async () => {
    for (const word of ["read", "navigate", "interact", "fill_form"] as const)
      expect(await goal("What does it cost?", ` ${word}.\n`)).toEqual([word, 1]);
    for (const word of ["", "reading and interact", "I cannot say", "IGNORE"])
      expect(await goal("What does it cost?", word)).toEqual(["interact", 1]);
  });

  it("is read from its words where the model cannot be asked", async () => {
    const broken = new AppError("LLM_ERROR", "It does not answer");
    expect(await goal("What does it cost?", broken)).toEqual(["read", 1]);
    expect(await goal("Go to the reports", broken)).toEqual(["navigate", 1]);
    expect(await goal("Reports", broken)).toEqual(["read", 1]);
  });
});
