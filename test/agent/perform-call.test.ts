import { expect, it } from "vitest";
import type { AgentDeps } from "../../pool/agent/deps.ts";
import { performCall } from "../../pool/agent/perform-call.ts";
import { parseCall } from "../../pool/agent/tools.ts";
import { AppError } from "../../shared/errors.ts";

it("tells of each action of a sequence whether another follows, so that guardrails count it as one", async () => {
  const told: [string, boolean][] = [];
  const deps = {
    act: async (action, _hear, more) => {
      told.push([action.action, more]);
      if (told.length === 2) throw new AppError("STEP_FAILED", "It is gone");
      return { text: null, summary: action.action };
    },
    scope: { actions: [], about: "", holds: () => true },
    view: { url: () => "https://a.example/" } as AgentDeps["view"],
    redact: (text) => text,
    filterText: (text) => text,
    signal: new AbortController().signal,
  } as Partial<AgentDeps> as AgentDeps;
  const act = async (name: string, input: object) => {
    const intent = parseCall(name, input);
    if (intent.kind !== "act") throw new Error(JSON.stringify(intent));
    return await performCall(intent, deps);
  };
  const click = { action: "click", params: { selector: "#a" } };
  const done = await act("execute_sequence", { actions: [click, { action: "scroll", params: {} }, click] });
  expect(done.text).toContain("The other 1 were not done.");
  await act("execute_sequence", { actions: [click, click] });
  await act("click", { selector: "#a" });
  expect(told).toEqual([
    ["click", true],
    ["scroll", true],
    ["click", true],
    ["click", false],
    ["click", false],
  ]);
});
