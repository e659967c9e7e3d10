import { readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { openActionLog } from "../../pool/recording/action-log.ts";
import { openRunFolder } from "../../pool/recording/run-folder.ts";
import type { Action } from "../../shared/action.ts";
import { type AppError, toErrorDetail } from "../../shared/errors.ts";
import { ANY_CHARACTER } from "../support/arbitraries.ts";
import { click, goto, logEntry, openTempFolder, RUN_ID, typing } from "./support.ts";

const fail = (error: unknown): never => {
  throw error;
};
const read = async (...path: string[]) => JSON.parse(await readFile(join(...path), "utf8"));

describe("an action log", () => {
  it("has one file per action, and all of them once more at the end", async () => {
    await using temp = await openTempFolder();
    const log = await openActionLog({ dir: temp.dir, runId: RUN_ID, warn: fail });
    log.write(logEntry(1, goto("https://shop.test/")));
    log.write(logEntry(2, click("#cancel"), "x".repeat(1_000)));
    await log.drain();
    expect(await readdir(join(temp.dir, "actions"))).toEqual(["0001_playbook_goto.json", "0002_playbook_click.json"]);
    expect(await read(temp.dir, "actions", "0002_playbook_click.json")).toEqual({
      seq: 2,
      step: 0,
      tool: "playbook",
      action: "click",
      selector: { primary: "#cancel", fallbacks: [], description: null },
      input: { button: "left", click_count: 1 },
      summary: "click '#cancel'",
      started_at: "2026-03-01T10:00:00.000Z",
      finished_at: "2026-03-01T10:00:00.012Z",
      duration_ms: 12.5,
      success: true,
      result: { preview: "x".repeat(240), total_chars: 1_000 },
      error: null,
      url: "https://shop.test/orders",
    });
    const whole = await read(temp.dir, "action_log.json");
    expect(whole.run_id).toBe(RUN_ID);
    expect(whole.actions).toEqual([
      await read(temp.dir, "actions", "0001_playbook_goto.json"),
      await read(temp.dir, "actions", "0002_playbook_click.json"),
    ]);
    for (const { name, bytes } of log.artifacts()) expect((await stat(join(temp.dir, name))).size, name).toBe(bytes);
    expect(log.artifacts().map(({ kind }) => kind)).toEqual(["action", "action", "action_log"]);
  });

  it("keeps the order beyond 9999 actions", async () => {
    await using temp = await openTempFolder();
    const log = await openActionLog({ dir: temp.dir, warn: fail });
    for (const seq of [10_000, 9_999, 10_001, 2]) log.write(logEntry(seq, click("#a")));
    await log.drain();
    const { actions } = await read(temp.dir, "action_log.json");
    expect(actions.map(({ seq }: { seq: number }) => seq)).toEqual([2, 9_999, 10_000, 10_001]);
  });

  it("never holds typed text or a secret, and credentials by name", async () => {
    await using temp = await openTempFolder();
    const mask = (text: string) => text.replaceAll("hunter2", "[redacted]");
    const log = await openActionLog({ dir: temp.dir, mask, warn: fail });
    const credential: Action = { ...click("#password"), action: "key_press", params: { credential_ref: "shop_password", key: "Enter" } };
    const entry = logEntry(1, typing("#name", "typed in plain", "Enter"), `${"x".repeat(236)}hunter2`);
    log.write({ ...entry, record: { ...entry.record, url: "https://shop.test/?p=hunter2", error: "no hunter2", success: false } });
    log.write(logEntry(2, credential));
    await log.drain();
    const text = await readFile(join(temp.dir, "action_log.json"), "utf8");
    expect(text).not.toContain("typed in plain");
    expect(text).not.toContain("hunt");
    const { actions } = JSON.parse(text);
    expect(actions[0].input).toEqual({ text: "[redacted]", key: "Enter" });
    expect(actions[0]).toMatchObject({ url: "https://shop.test/?p=[redacted]", error: "no [redacted]" });
    expect(actions[1].input).toEqual({ credential_ref: "shop_password", key: "Enter" });
  });

  it("cuts what is endless, with its length said", async () => {
    await using temp = await openTempFolder();
    const log = await openActionLog({ dir: temp.dir, warn: fail });
    log.write(logEntry(1, { action: "evaluate", selector: null, params: { expression: "1+".repeat(5_000) }, timeout_ms: null }));
    await log.drain();
    const { actions } = await read(temp.dir, "action_log.json");
    expect(actions[0].input.expression).toMatch(/^(1\+){1000}… \(10000 characters\)$/);
  });

  it("stays below its folder and keeps names apart, whatever tools and actions are called", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(fc.string({ unit: ANY_CHARACTER, maxLength: 90 }), { minLength: 1, maxLength: 4 }), async (tools) => {
        await using temp = await openTempFolder();
        const log = await openActionLog({ dir: temp.dir, warn: fail });
        for (const tool of tools) {
          const entry = logEntry(1, click("#a"));
          log.write({ ...entry, record: { ...entry.record, tool } });
        }
        await log.drain();
        const names = await readdir(join(temp.dir, "actions"));
        expect(names).toHaveLength(tools.length);
        for (const name of names) expect(name).toMatch(/^0001_[A-Za-z0-9_-]{1,64}_click\.json$/);
        expect(await readdir(temp.dir)).toEqual(["action_log.json", "actions"]);
      }),
      { numRuns: 40 },
    );
  });

  it("warns once when it cannot write, and the run goes on", async () => {
    await using temp = await openTempFolder();
    const warnings: unknown[] = [];
    const log = await openActionLog({ dir: temp.dir, warn: (error) => warnings.push(error) });
    await rm(join(temp.dir, "actions"), { recursive: true });
    await writeFile(join(temp.dir, "actions"), "");
    for (let seq = 1; seq <= 3; seq++) log.write(logEntry(seq, click("#a")));
    await log.drain();
    expect(warnings).toHaveLength(2); // one for the actions, one for the file of all of them
    expect(JSON.stringify(warnings.map(toErrorDetail))).not.toContain(temp.dir); // clients see the message, the log sees the cause
    expect(warnings.map((each) => (each as AppError).message)).toContain("An action could not be logged: ENOTDIR");
    expect(warnings.map((each) => (each as AppError).cause)).toEqual([expect.any(Error), expect.any(Error)]);
    expect(log.artifacts()).toEqual([]);
  });

  it("names the folder's run where no id is given", async () => {
    await using temp = await openTempFolder();
    const dir = await openRunFolder(temp.dir);
    const log = await openActionLog({ dir, warn: fail });
    await log.drain();
    expect(`${temp.dir}/${(await read(dir, "action_log.json")).run_id}`).toBe(dir);
  });
});

describe("a run's folder", () => {
  it("is its owner's, and a fresh one for each run without an id", async () => {
    await using temp = await openTempFolder();
    const dirs = await Promise.all(Array.from({ length: 20 }, () => openRunFolder(temp.dir)));
    expect(new Set(dirs).size).toBe(20);
    for (const dir of dirs) expect((await stat(dir)).mode & 0o777).toBe(0o700);
  });

  it("lies below its root, one for each id, whatever the ids are", async () => {
    await using temp = await openTempFolder();
    const ids = fc.uniqueArray(
      fc.oneof(fc.string({ unit: ANY_CHARACTER, maxLength: 200 }), fc.constantFrom("..", ".", "/", "a/b", "a_b", "../a", "")),
      {
        minLength: 2,
        maxLength: 6,
      },
    );
    await fc.assert(
      fc.asyncProperty(ids, async (all) => {
        const dirs = await Promise.all(all.map((id) => openRunFolder(temp.dir, id)));
        expect(new Set(dirs).size).toBe(all.length);
        for (const dir of dirs) expect(dir.slice(temp.dir.length)).toMatch(/^\/[A-Za-z0-9_-]{1,64}$/);
      }),
      { numRuns: 50 },
    );
  });
});
