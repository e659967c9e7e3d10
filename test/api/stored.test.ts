import { describe, expect, it } from "vitest";
import { missingReason } from "../../pool/api/stored.ts";
import { newRun } from "../support/run-fixtures.ts";

const now = new Date();
const row = (recording: object, more: object = {}) => ({
  request: newRun({ recording }).request,
  recording_state: "ready" as const,
  claimed_at: now,
  settled_at: now,
  ...more,
});
const PATHS = ["trace.zip", "screenshots/0001_click.jpg", "action_log.json", null];

describe("why an artifact is not stored", () => {
  it.each([
    [{ enabled: false }, ["disabled", "disabled", "persist_failed", "persist_failed"]],
    [{ trace: false }, ["disabled", "persist_failed", "persist_failed", "persist_failed"]],
    [{ screenshots: false }, ["persist_failed", "disabled", "persist_failed", "persist_failed"]],
  ])("is that it was not asked for only where it was not: %j", (recording, reasons) => {
    expect(PATHS.map((path) => missingReason(row(recording), path))).toEqual(reasons);
  });

  it("is the node that was lost, or not known while the run goes on", () => {
    expect(missingReason(row({ trace: false }, { recording_state: "lost" }), "action_log.json")).toBe("node_lost");
    expect(missingReason(row({}, { settled_at: null }), "trace.zip")).toBeNull();
  });
});
