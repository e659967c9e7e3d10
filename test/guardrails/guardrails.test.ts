import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createEgressLog } from "../../pool/guardrails/egress-record.ts";
import { openGuardrails } from "../../pool/guardrails/guardrails.ts";
import { applyRules, INITIAL_STATE, RULES, type Rule } from "../../pool/guardrails/rules.ts";
import { createScope } from "../../pool/guardrails/scope.ts";
import { judgeCommitted } from "../../pool/guardrails/shown.ts";
import { NOT_STUCK } from "../../pool/guardrails/stuck.ts";
import type { Action } from "../../shared/action.ts";
import { AppError } from "../../shared/errors.ts";
import type { GuardrailsInput, Verdict } from "../../shared/guardrails.ts";
import { guardrailsOf, labPolicy } from "./lab.ts";

const goto = (url: string): Action => ({ action: "goto", selector: null, params: { url }, timeout_ms: null });
const CLICK: Action = {
  action: "click",
  selector: { primary: "#delete", fallbacks: [], description: null },
  params: { button: "left", click_count: 1 },
  timeout_ms: null,
};
const PAGE = "http://good.test/";
const FAILED = new Error("it failed");
const CUT_OFF = new AppError("STEP_FAILED", "it failed", { details: { net_error: "net::ERR_TUNNEL_CONNECTION_FAILED" } });
const ERROR_PAGE = "chrome-error://chromewebdata/";

function open(request: GuardrailsInput = {}) {
  const verdicts: Verdict[] = [];
  const egress = createEgressLog();
  const rules = { blocked_domains: ["blocked.test"], ...request };
  const policy = labPolicy("", async () => ["93.184.216.34"], rules);
  const run = openGuardrails({ guardrails: guardrailsOf(rules), policy, egress, onVerdict: (verdict) => verdicts.push(verdict) });
  return { run, verdicts, egress };
}
const refusal = {
  rule: "blocked_domains",
  reason: "blocked.test is in blocked_domains",
  host: "blocked.test",
  port: 443,
  kind: "connect",
} as const;

describe("ask", () => {
  it("judges where a goto leads, and lets other actions be done to a page that may be there", async () => {
    const { run } = open();
    expect(await run.ask(goto("http://other.test/"), { url: "about:blank" })).toMatchObject({ kind: "allow", host: "other.test" });
    expect(await run.ask(goto("http://blocked.test/"), { url: PAGE })).toMatchObject({ kind: "block", rule: "blocked_domains" });
    expect(await run.ask(goto("file:///etc/passwd"), { url: PAGE })).toMatchObject({ kind: "block", rule: "url_scheme" });
    expect(await run.ask(CLICK, { url: PAGE })).toMatchObject({ kind: "allow" });
  });

  it("judges an address that a recovery or an agent opens as the link to it, unless somebody wrote it out", async () => {
    const { run, verdicts } = open();
    const deed = "http://good.test/orders/5/delete";
    const by = { intent: "Read the orders", signal: new AbortController().signal };
    const scopeOf = (intent: string) => createScope({ goal: "interact", intent, urls: [], hidesDeeds: true });
    for (const origin of ["agent", "recovery"] as const) {
      const verdict = await run.ask(goto(deed), { url: PAGE, by: { ...by, origin }, scope: scopeOf(by.intent) });
      expect(verdict).toMatchObject({ kind: "block", rule: "destructive_action" });
      expect(verdict.reason).not.toContain("orders/5");
    }
    expect(await run.ask(goto(deed), { url: PAGE, by: { ...by, origin: "author" } })).toMatchObject({ kind: "allow" });
    expect(await run.ask(goto("http://good.test/orders"), { url: PAGE, by: { ...by, origin: "agent" } })).toMatchObject({ kind: "allow" });
    const intent = `Open ${deed}.`;
    expect(await run.ask(goto(deed), { url: PAGE, by: { ...by, intent, origin: "agent" }, scope: scopeOf(intent) })).toMatchObject({
      kind: "allow",
    });
    expect(verdicts.filter(({ kind }) => kind === "block")).toHaveLength(2);
  });

  it("stops a run whose page has come to where no page may be", async () => {
    const { run } = open();
    expect(await open().run.ask(CLICK, { url: "file:///etc/passwd" })).toMatchObject({ kind: "stop", rule: "url_scheme" });
    expect(await run.ask(CLICK, { url: "http://blocked.test/" })).toMatchObject({ kind: "block", rule: "blocked_domains" });
    expect(await run.ask(goto(PAGE), { url: "http://blocked.test/" })).toMatchObject({ kind: "allow" }); // the way out
  });

  it("counts distinct URLs that it let pass, and refuses the one too many", async () => {
    const { run } = open({ max_urls_visited: 2 });
    const ask = async (url: string) => (await run.ask(goto(url), { url: PAGE })).kind;
    expect(await ask("http://good.test/a")).toBe("allow");
    expect(await ask("http://blocked.test/")).toBe("block"); // refused, so not visited
    expect(await ask("HTTP://GOOD.test:80/a")).toBe("allow"); // the same URL
    expect(await ask("http://good.test/b")).toBe("allow");
    expect(await run.ask(goto("http://good.test/c"), { url: PAGE })).toMatchObject({ kind: "block", rule: "max_urls_visited" });
    expect(await ask("http://good.test/a")).toBe("allow");
  });

  it("never repeats a refused URL in its reason", async () => {
    const { run, verdicts } = open();
    for (const url of [
      "http://user:hunter2@good.test/",
      "file:///hunter2",
      "http://good.test\\hunter2",
      "nonsense hunter2",
      "http://blocked.test/?token=hunter2",
    ]) {
      await run.ask(goto(url), { url: PAGE });
    }
    expect(verdicts).toHaveLength(5);
    expect(JSON.stringify(verdicts)).not.toContain("hunter2");
  });
});

describe("after", () => {
  const act = async (run: ReturnType<typeof open>["run"], error: unknown, url = PAGE) => {
    await run.ask(CLICK, { url: PAGE });
    return run.after({ origin: "author", action: CLICK, url, error });
  };

  it("stops the run once as many actions in a row have failed as it allows, refused ones too", async () => {
    const { run, verdicts } = open({ max_consecutive_errors: 3, stuck_failure_cluster_threshold: 5, stuck_applies_to: "improvised" });
    expect([await act(run, FAILED), await act(run, FAILED), await act(run, null)]).toEqual([null, null, null]);
    expect([await act(run, FAILED), await act(run, FAILED)]).toEqual([null, null]);
    await run.ask(goto("http://blocked.test/"), { url: PAGE });
    expect(run.after({ origin: "author", action: goto("http://blocked.test/"), url: PAGE, error: FAILED })).toMatchObject({
      kind: "stop",
      rule: "max_consecutive_errors",
    });
    expect(verdicts.at(-1)).toMatchObject({ kind: "stop" });
    expect(await act(run, FAILED)).toMatchObject({ kind: "stop" });
  });

  it("looks at where the page has come to: a host it may not be at, or a scheme that is not the web's", async () => {
    const { run } = open({ max_consecutive_errors: 50 });
    expect(await act(run, null, "http://blocked.test/landed")).toMatchObject({
      kind: "block",
      rule: "blocked_domains",
      host: "blocked.test",
    });
    expect(await act(run, null, "http://127.0.0.1/")).toMatchObject({ kind: "block", rule: "private_network" });
    expect(await act(run, null, "chrome://settings/")).toMatchObject({ kind: "stop", rule: "url_scheme" });
    expect(await act(run, null, "about:blank")).toBeNull();
    expect(await run.ask(CLICK, { url: PAGE })).toMatchObject({ kind: "stop" }); // once stopped, for good
  });

  it("says why a page did not load, by the network's own record", async () => {
    const { run, egress } = open();
    await run.ask(goto("https://redirects.test/"), { url: PAGE });
    egress.refused(refusal);
    // the redirect's target was refused, and puppeteer's page is still the old one
    expect(run.after({ origin: "author", action: goto("https://redirects.test/"), url: PAGE, error: CUT_OFF })).toEqual({
      kind: "block",
      rule: "blocked_domains",
      reason: refusal.reason,
      host: "blocked.test",
    });
    await run.ask(goto("http://redirects.test/"), { url: PAGE });
    egress.refused(refusal);
    expect(run.after({ origin: "author", action: goto("http://redirects.test/"), url: ERROR_PAGE, error: null })).toMatchObject({
      rule: "blocked_domains",
    });
  });

  it("blames no refusal for a server that does not answer, a page that is slow, or what was refused before", async () => {
    const { run, egress } = open();
    egress.refused(refusal);
    const slow = goto("http://slow.test/");
    await run.ask(slow, { url: PAGE });
    expect(run.after({ origin: "author", action: slow, url: PAGE, error: FAILED })).toBeNull();
    await run.ask(slow, { url: PAGE });
    egress.refused(refusal); // an image of it
    expect(run.after({ origin: "author", action: slow, url: "http://slow.test/", error: FAILED })).toBeNull();
    await run.ask(slow, { url: PAGE });
    egress.unreachable({ host: "slow.test", port: 80, kind: "http", code: "ECONNREFUSED" });
    egress.refused(refusal); // the old page goes on trying
    expect(run.after({ origin: "author", action: slow, url: PAGE, error: FAILED })).toBeNull();
    await run.ask(slow, { url: PAGE });
    egress.refused({ ...refusal, rule: "chrome_background", host: "accounts.google.com" });
    expect(run.after({ origin: "author", action: slow, url: PAGE, error: FAILED })).toBeNull();
  });

  it("blames no refusal of the page that a goto could not leave in time", async () => {
    const { run, egress } = open();
    const slow = goto("https://slow.test/");
    await run.ask(slow, { url: PAGE });
    egress.refused(refusal); // a poll of the old page
    expect(run.after({ origin: "author", action: slow, url: PAGE, error: FAILED })).toBeNull();
    await run.ask(slow, { url: PAGE });
    egress.unreachable({ host: "redirected.test", port: 443, kind: "connect", code: "ECONNREFUSED" });
    egress.refused(refusal);
    expect(run.after({ origin: "author", action: slow, url: PAGE, error: CUT_OFF })).toBeNull();
    await run.ask(slow, { url: PAGE });
    egress.refused({ ...refusal, host: "slow.test" });
    egress.refused(refusal);
    expect(run.after({ origin: "author", action: slow, url: PAGE, error: FAILED })).toMatchObject({ host: "slow.test" });
  });

  it("explains an error page one action later, when the click was over before its navigation failed", async () => {
    const { run, egress } = open();
    await run.ask(CLICK, { url: PAGE });
    expect(run.after({ origin: "author", action: CLICK, url: PAGE, error: null })).toBeNull();
    egress.refused(refusal);
    await run.ask(CLICK, { url: PAGE });
    expect(run.after({ origin: "author", action: CLICK, url: ERROR_PAGE, error: FAILED })).toMatchObject({ rule: "blocked_domains" });
    await run.ask(CLICK, { url: ERROR_PAGE });
    expect(run.after({ origin: "author", action: CLICK, url: ERROR_PAGE, error: FAILED })).toMatchObject({ rule: "blocked_domains" });
  });
});

describe("judgeCommitted", () => {
  const policy = labPolicy("", async () => []);
  it.each(["", "about:blank", "about:blank#x", "about:srcdoc", ERROR_PAGE, "blob:http://good.test/1", PAGE])("lets %j be there", (url) => {
    expect(judgeCommitted(policy, url)).toBeNull();
  });
  it.each([
    "file:///",
    "chrome://version/",
    "devtools://x/",
    "view-source:http://good.test/",
    "data:text/html,x",
    "chrome-extension://x/",
    "filesystem:http://x/",
    "blob:null/1",
  ])("ends a run at %j", (url) => {
    expect(judgeCommitted(policy, url)).toMatchObject({ kind: "stop", rule: "url_scheme" });
  });
});

describe("the rules", () => {
  const limits = guardrailsOf({ max_consecutive_errors: 3, max_urls_visited: 4 });
  const steps = fc.array(
    fc.record({ url: fc.constantFrom("http://a.test/", "http://b.test/", "http://c.test/", "not a url"), success: fc.boolean() }),
    { maxLength: 60 },
  );

  it("are pure: the same list of actions gives the same verdicts, and none of them throws", () => {
    const replay = (list: { url: string; success: boolean }[]) => {
      let state = INITIAL_STATE;
      return list.map(({ url, success }) => {
        const before = applyRules(RULES, state, (rule, so) => rule.before?.(so, { action: goto(url), url: "" }, limits));
        const after = applyRules(RULES, before.state, (rule, so) =>
          rule.after?.(so, { action: goto(url), success, origin: "agent", more: false }, limits),
        );
        state = after.state;
        return [before.verdict, after.verdict];
      });
    };
    fc.assert(
      fc.property(steps, (list) => {
        expect(replay(list)).toEqual(replay(list));
      }),
    );
    expect(INITIAL_STATE).toEqual({ visited: new Set(), errors: 0, stuck: NOT_STUCK, sequence: [] });
  });

  it("give one verdict, the gravest, whatever their order", () => {
    const saying = (kind: Verdict["kind"]): Rule => ({ before: (state) => ({ state, verdict: { kind, rule: kind, reason: "" } }) });
    const kinds = ["allow", "hint", "warning", "block", "stop"] as const;
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...kinds), { minLength: 1, maxLength: 6 }), (said) => {
        const { verdict } = applyRules(said.map(saying), INITIAL_STATE, (rule, so) =>
          rule.before?.(so, { action: CLICK, url: "" }, limits),
        );
        expect(verdict?.kind).toBe(kinds[Math.max(...said.map((kind) => kinds.indexOf(kind)))]);
      }),
    );
  });
});
