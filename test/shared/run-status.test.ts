import { describe, expect, it } from "vitest";
import { isTerminal, mayFollow, RUN_STATUSES, RUN_TRANSITIONS, TERMINAL_STATUSES } from "../../shared/run-status.ts";

describe("the states of a run", () => {
  it("never leave a terminal one", () => {
    for (const from of TERMINAL_STATUSES) for (const to of RUN_STATUSES) expect(mayFollow(from, to)).toBe(false);
    expect(RUN_STATUSES.filter(isTerminal)).toEqual([...TERMINAL_STATUSES]);
  });

  it("reach an end from everywhere, so that no run can be stuck by the table", () => {
    for (const from of RUN_STATUSES) {
      if (!isTerminal(from)) for (const to of TERMINAL_STATUSES) expect(mayFollow(from, to)).toBe(true);
    }
  });

  it("go through starting to running, and back only to the queue", () => {
    expect(mayFollow("queued", "running")).toBe(false);
    expect([mayFollow("queued", "starting"), mayFollow("starting", "running"), mayFollow("running", "queued")]).toEqual([true, true, true]);
    expect(mayFollow("running", "starting")).toBe(false);
    for (const status of RUN_STATUSES) expect(RUN_TRANSITIONS[status]).not.toContain(status);
  });
});
