import { describe, expect, it } from "vitest";
import { createProgress } from "../../start/progress.ts";

const at = "2026-01-02T09:00:00.000Z";
const step = { type: "step", at, index: 0, action: "click", description: "Sign in", attempt: 1, error: null } as const;

describe("progress", () => {
  it("writes one plain line a step into a pipe", () => {
    const { progress, text } = watch({ isTTY: false });
    progress.show({ type: "status", at, status: "running", previous: "starting", node_id: "n", attempt: 1 });
    progress.show({ ...step, state: "started" });
    progress.show({ ...step, state: "completed" });
    expect(text()).toBe(`  · running\n  ✓  1 ${"Sign in".padEnd(41)}   0.5 s\n`);
  });

  it("shows on a terminal what is being done, and writes the outcome over it", () => {
    const { progress, text } = watch({ isTTY: true, columns: 20 });
    progress.show({ ...step, state: "started", description: "Wait for a very long description" });
    expect(text().split("\u001b[2K").at(-1)).toBe("  …  1 Wait for a v");
    progress.show({ ...step, state: "completed" });
    expect(text()).toContain("\r\u001b[2K  \u001b[32m✓\u001b[39m");
    expect(text().endsWith("\n")).toBe(true);
  });

  it("says why a step failed and what a guardrail refused", () => {
    const { progress, text } = watch({ isTTY: false });
    progress.show({ ...step, state: "failed", attempt: 2, error: "There is no order 7" });
    progress.show({
      type: "guardrail",
      at,
      rule: "blocked_domains",
      kind: "block",
      reason: "a.example is blocked",
      action_seq: 1,
      host: "a.example",
    });
    expect(text()).toMatch(/✗ {2}1 Sign in \(attempt 2\) .* There is no order 7\n {2}! block: a\.example is blocked\n$/);
  });
});

function watch(terminal: { isTTY: boolean; columns?: number }) {
  let written = "";
  let clock = 0;
  const write = (text: string) => {
    written += text;
  };
  return { progress: createProgress({ ...terminal, write }, () => (clock += 500)), text: () => written };
}
