import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { readHealth } from "../../pool/drift/health.ts";
import { bucketEndMs, bucketOf, openLedger } from "../../pool/drift/ledger.ts";
import { createProposals } from "../../pool/drift/proposals.ts";
import { openVersions, readVersions, rollBack } from "../../pool/drift/versions.ts";
import { openLibrary, type Source } from "../../pool/playbook/load.ts";
import type { Repair } from "../../pool/playbook/repair.ts";
import { listVersions } from "../../pool/store/playbook-versions.ts";
import { forgetProposals } from "../../pool/store/proposals.ts";
import type { Store } from "../../pool/store/sql.ts";
import { forgetStepCounts } from "../../pool/store/step-counts.ts";
import { newRunId } from "../../shared/ids.ts";
import type { Step } from "../../shared/playbook.ts";
import { quiet } from "../support/run-fixtures.ts";
import { eachStore, eventually } from "../support/store.ts";

const YAML = `id: shop # ours
steps:
  - { action: click, selector: "#buy" }
  - { action: click, selector: "#pay", verify: { expect_text_on_page: Thanks } }
`;

/** A node's view: a folder of playbooks of its own, on a store that others may share. */
async function openShop(store: Store, { text = YAML, promoteAfter = 0 } = {}) {
  await using opened = new AsyncDisposableStack();
  const dir = await mkdtemp(join(tmpdir(), "us-drift-"));
  opened.defer(() => rm(dir, { recursive: true, force: true }));
  const write = (yaml: string) => writeFile(join(dir, "shop.yaml"), yaml);
  await write(text);
  const versions = opened.use(await openVersions(store, quiet));
  const library = await openLibrary(dir, quiet, versions.standIn);
  const proposals = createProposals({ store, library, versions, promoteAfter, log: quiet });
  const selectors = () => library.get("shop")?.steps.map(({ selector }) => selector?.primary);
  const propose = (step: number, primary: string) => {
    const was = library.get("shop")?.steps[step] as Step;
    const repair: Repair = { step, was, items: [{ kept: 0, chain: { primary, fallbacks: [was.selector?.primary as string] } }] };
    return proposals.propose("shop", { runId: newRunId(), repair, description: "It", pictures: { before: "1.jpg", after: null } });
  };
  const kept = opened.move();
  const deps = { store, library, versions };
  return { deps, library, proposals, selectors, propose, write, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

eachStore("what playbooks learn", (opened) => {
  it("keeps the same repair as one proposal, applies several one after the other, on every node, and takes them back", async () => {
    const { store } = opened();
    await using shop = await openShop(store);
    await using other = await openShop(store);
    await shop.propose(0, "#order");
    await shop.propose(0, "#order");
    await shop.propose(1, "#checkout");
    const list = await shop.proposals.list("shop", "open");
    expect(list.map(({ step, times_seen, applies }) => [step, times_seen, applies])).toEqual([
      [1, 1, true],
      [0, 2, true],
    ]);
    const [pay, buy] = list.map(({ proposal_id }) => proposal_id) as [string, string];
    await shop.proposals.accept("shop", buy);
    const accepted = await shop.proposals.accept("shop", pay);
    expect(accepted).toMatchObject({ status: "accepted", version: 3, decided_by: "request", pictures: { after: null } });
    expect(shop.selectors()).toEqual(["#order", "#checkout"]);
    await eventually(other.selectors).toEqual(["#order", "#checkout"]);
    expect(shop.library.source("shop")?.text).toContain("# ours");
    await expect(shop.proposals.reject("shop", pay)).rejects.toMatchObject({ code: "CONFLICT" });

    await rollBack(shop.deps, "shop", null);
    expect(shop.selectors()).toEqual(["#order", "#pay"]);
    expect((await shop.proposals.list("shop", "rejected")).map(({ step }) => step)).toEqual([1]);
    await shop.propose(1, "#checkout"); // the same repair again
    expect(await shop.proposals.list("shop", "open")).toEqual([]);
    await rollBack(shop.deps, "shop", 1);
    expect(shop.selectors()).toEqual(["#buy", "#pay"]);
    await expect(rollBack(shop.deps, "shop", null)).rejects.toMatchObject({ code: "CONFLICT" });
    await rollBack(shop.deps, "shop", 3); // and forth
    await eventually(other.selectors).toEqual(["#order", "#checkout"]);
    await expect(rollBack(shop.deps, "shop", 9)).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  it("leaves a file that is edited to its author, and finds its version again with the old text", async () => {
    const { store } = opened();
    await using shop = await openShop(store);
    await shop.propose(0, "#order");
    const [first] = await shop.proposals.list("shop", null);
    await shop.proposals.accept("shop", first?.proposal_id as string);
    await shop.write(YAML.replace("#buy", "#purchase-it"));
    expect(shop.selectors()).toEqual(["#purchase-it", "#pay"]);
    const [unsaved] = await readVersions(shop.deps, "shop");
    expect(unsaved).toMatchObject({ version: 3, origin: "file", runs_now: true });
    expect((await rollBack(shop.deps, "shop", 3))[0]).toEqual(unsaved); // what runs already, and was written when it was
    await expect(rollBack(shop.deps, "shop", 2)).rejects.toMatchObject({ code: "CONFLICT" });
    await shop.propose(0, "#order");
    await shop.write(YAML.replace("#buy", "#something"));
    const [open] = await shop.proposals.list("shop", "open");
    expect(open).toMatchObject({ applies: false, diff: "" });
    await expect(shop.proposals.accept("shop", open?.proposal_id as string)).rejects.toMatchObject({ code: "CONFLICT" });
    await shop.write(`${YAML}`);
    expect(shop.selectors()).toEqual(["#order", "#pay"]);
  });

  it("accepts again what was accepted for another text of the file, and says of each proposal whether what runs has it", async () => {
    const { store } = opened();
    await using shop = await openShop(store);
    await shop.propose(0, "#order");
    const [first] = await shop.proposals.list("shop", null);
    const id = first?.proposal_id as string;
    await shop.proposals.accept("shop", id);
    await shop.write(`# Edited\n${YAML}`);
    expect(shop.selectors()).toEqual(["#buy", "#pay"]);
    expect(await shop.proposals.list("shop", null)).toMatchObject([{ status: "accepted", applies: true }]);
    expect(await shop.proposals.accept("shop", id)).toMatchObject({ status: "accepted", version: 4, applies: false });
    expect(shop.selectors()).toEqual(["#order", "#pay"]);
    expect(await shop.proposals.accept("shop", id)).toMatchObject({ version: 4 });
    await shop.write(`# Edited again\n${YAML}`);
    expect(shop.selectors()).toEqual(["#buy", "#pay"]);
    await shop.propose(0, "#order");
    expect(await shop.proposals.list("shop", null)).toMatchObject([{ status: "open", version: null, decided_at: null, decided_by: null }]);
    expect(await shop.proposals.reject("shop", id)).toMatchObject({ status: "rejected" });
  });

  it("accepts and rejects with each roll-back what the version has and has not, forebear or not", async () => {
    const { store } = opened();
    await using shop = await openShop(store);
    const statuses = async () =>
      Object.fromEntries((await shop.proposals.list("shop", null)).map(({ step, status, version }) => [step, [status, version]]));
    await shop.propose(0, "#order");
    await shop.propose(1, "#checkout");
    const [pay, buy] = (await shop.proposals.list("shop", null)).map(({ proposal_id }) => proposal_id) as [string, string];
    await shop.proposals.accept("shop", buy); // 2, of 1
    await rollBack(shop.deps, "shop", 1);
    await shop.proposals.accept("shop", pay); // 3, of 1
    expect(await statuses()).toEqual({ 0: ["rejected", 2], 1: ["accepted", 3] });
    await rollBack(shop.deps, "shop", 2);
    expect(shop.selectors()).toEqual(["#order", "#pay"]);
    expect(await statuses()).toEqual({ 0: ["accepted", 2], 1: ["rejected", 3] });
  });

  it("drops a repair that comes once its step was changed on another node, and what was accepted stays so", async () => {
    const { store } = opened();
    await using shop = await openShop(store);
    const dir = shop.library;
    const was = dir.get("shop")?.steps[0] as Step;
    const repair: Repair = { step: 0, was, items: [{ kept: 0, chain: { primary: "#order", fallbacks: ["#buy"] } }] };
    const late = { ...shop.deps, library: { ...dir, source: () => ({ ...(dir.source("shop") as Source), text: YAML }) } };
    const lateProposals = createProposals({ ...late, promoteAfter: 0, log: quiet });
    await shop.propose(0, "#order");
    const [first] = await shop.proposals.list("shop", null);
    await shop.proposals.accept("shop", first?.proposal_id as string);
    await lateProposals.propose("shop", { runId: newRunId(), repair, description: "It", pictures: { before: null, after: null } });
    expect(await shop.proposals.list("shop", null)).toMatchObject([{ status: "accepted", version: 2, times_seen: 1 }]);
  });

  it("remembers what was rejected, and what a version was made of, when many others are proposed; the file stays a version", async () => {
    const { store } = opened();
    await using shop = await openShop(store);
    await shop.propose(0, "#order");
    await shop.propose(1, "#no");
    const [no, buy] = (await shop.proposals.list("shop", null)).map(({ proposal_id }) => proposal_id) as [string, string];
    await shop.proposals.accept("shop", buy);
    await shop.proposals.reject("shop", no);
    await store.query(
      `INSERT INTO understudy.proposals (proposal_id, playbook_id, fingerprint, step, description, repair, run_id, created_at, last_seen_at)
       SELECT gen_random_uuid(), playbook_id, n::text, step, description, repair, run_id, created_at, now()
       FROM understudy.proposals, generate_series(1, 110) AS n WHERE proposal_id = $1`,
      [no],
    );
    await shop.propose(1, "#pay-now");
    expect((await shop.proposals.list("shop", "open")).length).toBe(100);
    expect(await shop.proposals.list("shop", "accepted")).toMatchObject([{ proposal_id: buy }]);
    await shop.propose(1, "#no");
    expect(await shop.proposals.list("shop", "rejected")).toMatchObject([{ proposal_id: no, times_seen: 2 }]);
    await forgetProposals(store, new Date(Date.now() + 1000));
    expect(await shop.proposals.list("shop", null)).toMatchObject([{ proposal_id: buy }]);

    await store.query(
      `INSERT INTO understudy.playbook_versions (playbook_id, version, origin, based_on, file_digest, source, created_at)
       SELECT playbook_id, n, origin, n - 1, file_digest, source, created_at FROM understudy.playbook_versions, generate_series(3, 53) AS n
       WHERE playbook_id = 'shop' AND version = 2`,
      [],
    );
    await store.query("UPDATE understudy.playbook_heads SET version = 53 WHERE playbook_id = 'shop'", []);
    await shop.propose(1, "#next");
    const [next] = await shop.proposals.list("shop", "open");
    await shop.proposals.accept("shop", next?.proposal_id as string);
    expect((await listVersions(store, "shop")).at(-1)).toMatchObject({ version: 1, origin: "file" });
    expect(await shop.proposals.accept("shop", buy)).toMatchObject({ version: 2 });
    await expect(rollBack(shop.deps, "shop", 2)).rejects.toMatchObject({ code: "NOT_FOUND" });
    await rollBack(shop.deps, "shop", 1);
    expect(shop.selectors()).toEqual(["#buy", "#pay"]);
  });

  it("says that the file runs where a version cannot be read, and changes nothing of that version", async () => {
    const { store } = opened();
    await using shop = await openShop(store);
    await shop.propose(0, "#order");
    await shop.propose(1, "#checkout");
    const [pay, buy] = (await shop.proposals.list("shop", null)).map(({ proposal_id }) => proposal_id) as [string, string];
    await shop.proposals.accept("shop", buy);
    await store.query("UPDATE understudy.playbook_versions SET source = 'id: shop\nlater: true' WHERE version = 2", []);
    await using other = await openShop(store);
    expect(other.selectors()).toEqual(["#buy", "#pay"]);
    expect((await readVersions(other.deps, "shop")).map(({ version, runs_now }) => [version, runs_now])).toEqual([
      [2, false],
      [1, true],
    ]);
    await expect(other.proposals.accept("shop", pay)).rejects.toMatchObject({ code: "CONFLICT" });
  });

  it("promotes what has proven itself, in so many clean runs in a row as the operator asked for, and not before", async () => {
    const { store } = opened();
    await using shop = await openShop(store, { promoteAfter: 2 });
    await using careful = await openShop(store);
    await shop.propose(1, "#checkout");
    const playbook = shop.library.get("shop");
    if (!playbook) throw new Error("not installed");
    expect(await careful.proposals.onTrial(playbook, 1)).toBeNull();
    const trial = await shop.proposals.onTrial(playbook, 1);
    expect(trial?.step.selector).toMatchObject({ primary: "#checkout", fallbacks: ["#pay"] });
    const id = trial?.proposalId as string;
    for (const clean of [true, false, true]) await shop.proposals.tried("shop", id, clean);
    expect(shop.selectors()).toEqual(["#buy", "#pay"]);
    await shop.proposals.tried("shop", id, true);
    expect(shop.selectors()).toEqual(["#buy", "#checkout"]);
    expect(await shop.proposals.list("shop", null)).toMatchObject([{ status: "accepted", decided_by: "promotion", clean_runs: 2 }]);
  });

  it("adds up how steps fare, keeps what could not be stored, and forgets what is old", async () => {
    const { store } = opened();
    await using shop = await openShop(store);
    const playbook = shop.library.get("shop");
    if (!playbook) throw new Error("not installed");
    let isAway = true;
    const shaky: Store = { ...store, query: (text, values) => (isAway ? Promise.reject(new Error("away")) : store.query(text, values)) };
    await using ledger = openLedger(shaky, quiet);
    const base = { index: 0, success: true, attempts: 1, recovery_used: false, duration_ms: 100, fallbacks: [0] };
    const today = new Date();
    const count = (more: object, at = today) => ledger.count(playbook, { ...base, ...more }, at);
    for (let i = 0; i < 18; i += 1) count({});
    count({ attempts: 2, fallbacks: [2], duration_ms: 900 });
    await expect(ledger.flush()).rejects.toThrow("away");
    isAway = false;
    count({ success: false, fallbacks: [] });
    count({ recovery_used: true, attempts: 2, duration_ms: 9_000 }, new Date(today.getTime() - 40 * 86_400_000));
    const [step, never] = (await readHealth({ store, ledger }, playbook)).steps;
    expect(step).toMatchObject({ runs: 21, passed: 20, failed: 1, retried: 1, repaired: 1, hit_rate: 18 / 21 });
    expect(step?.fallbacks).toMatchObject([{ fallback: 2, wins: 1 }]);
    expect(step?.p95_ms).toBeGreaterThanOrEqual(900);
    expect(step?.p95_ms).toBeLessThan(900 * 1.26);
    expect(step?.last_verified_at).toBe(today.toISOString());
    expect(never).toMatchObject({ runs: 0, hit_rate: null, p95_ms: null, last_verified_at: null });
    await forgetStepCounts(store, new Date(today.getTime() - 30 * 86_400_000));
    expect((await readHealth({ store, ledger }, playbook)).steps[0]).toMatchObject({ runs: 20, repaired: 0 });
    for (const ms of [0, 1, 99, 100, 101, 60_000]) expect(bucketEndMs(bucketOf(ms))).toBeGreaterThanOrEqual(ms);
  });
});
