import { expect, it } from "vitest";
import type { MapItem } from "../../pool/actions/page-map.ts";
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
    filterUrl: () => "https://a.example/[removed]",
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
  expect(done.deeds.map(({ url }) => url)).toEqual(Array(2).fill("https://a.example/[removed]"));
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

it("says of a closer look what it left out, whether or not it found something", async () => {
  const item: MapItem = { kind: "text", role: "", name: "Hello", selectors: [], nav: false };
  const deps = {
    view: { part: async () => ({ items: [item], left: 7, truncated: false }) } as Partial<AgentDeps["view"]>,
    redact: (text) => text,
    signal: new AbortController().signal,
  } as Partial<AgentDeps> as AgentDeps;
  for (const [query, found] of [
    ["hello", 'text "Hello"'],
    ["bye", "No line of the page"],
  ] as const) {
    const { text } = await performCall({ kind: "get_dom", selector: "main", query }, deps);
    expect(text).toContain(found);
    expect(text).toContain("7 items left out");
  }
});
