import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ClickTarget } from "../../pool/actions/attempt.ts";
import type { MapItem } from "../../pool/actions/page-map.ts";
import { openGuardrails } from "../../pool/guardrails/guardrails.ts";
import { createScope, itemsInScope, judgeScope, judgeScopedClick, SCOPE_ACTIONS } from "../../pool/guardrails/scope.ts";
import { hostsIn } from "../../pool/guardrails/scope-hosts.ts";
import { ACTION_PARAMS, type Action, SIMPLE_ACTION_NAMES, type SimpleActionName } from "../../shared/action.ts";
import { GOAL_TYPES, type GoalType } from "../../shared/guardrails.ts";
import { guardrailsOf, labPolicy } from "./lab.ts";

const PARAMS: Partial<Record<SimpleActionName, object>> = {
  goto: { url: "https://shop.test/" },
  key_press: { text: "x" },
  select: { value: "x" },
  evaluate: { expression: "1" },
};
const action = (name: SimpleActionName): Action =>
  ({ action: name, selector: null, params: ACTION_PARAMS[name].parse(PARAMS[name] ?? {}), timeout_ms: null }) as Action;
const goto = (url: string): Action => ({ action: "goto", selector: null, params: { url }, timeout_ms: null });
const scope = (goal: GoalType, intent = "Do it", urls: string[] = [], hidesDeeds = true) => createScope({ goal, intent, urls, hidesDeeds });
const item = (name: string, more: Partial<MapItem> = {}): MapItem => ({
  kind: "action",
  role: "button",
  name,
  selectors: [],
  nav: false,
  ...more,
});
const target = (name: string, more: Partial<ClickTarget> = {}): ClickTarget => ({
  ...{ name, text: name, role: "button", href: null, form: null, submits: false, dialog: "" },
  ...more,
});

describe("the actions of a goal", () => {
  it("are those that it needs, each goal's among those of the next", () => {
    const allowed = (goal: GoalType) => SIMPLE_ACTION_NAMES.filter((name) => judgeScope(scope(goal), action(name), "about:blank") === null);
    expect(allowed("navigate").toSorted()).toEqual(["click", "goto", "scroll", "wait_for"]);
    expect(allowed("read").toSorted()).toEqual(["click", "extract", "goto", "scroll", "wait_for"]);
    expect(allowed("interact")).toEqual(SIMPLE_ACTION_NAMES.filter((name) => name !== "evaluate"));
    expect(allowed("fill_form")).toEqual(allowed("interact"));
    for (const [i, goal] of GOAL_TYPES.slice(1).entries())
      expect(SCOPE_ACTIONS[goal]).toEqual(expect.arrayContaining([...SCOPE_ACTIONS[GOAL_TYPES[i] as GoalType]]));
  });

  it("bind the router, for whoever has a scope", async () => {
    const run = openGuardrails({ guardrails: guardrailsOf({}), policy: labPolicy("", async () => ["93.184.216.34"]) });
    const page = { url: "https://shop.test/" };
    expect(await run.ask(action("key_press"), { ...page, scope: scope("read") })).toMatchObject({ kind: "block", rule: "scope" });
    expect(await run.ask(action("key_press"), page)).toMatchObject({ kind: "allow" });
    const context = { origin: "agent", intent: "Read it", url: page.url, signal: new AbortController().signal } as const;
    const send = target("Send", { submits: true, form: { action: page.url, method: "get" } });
    expect(await run.permit(send, { ...context, scope: scope("read") })).toMatchObject({ kind: "block", rule: "scope" });
  });
});

describe("the hosts of a scope", () => {
  it("are those that the directive and start_url name, and what is below them", () => {
    const bounded = scope("interact", "Compare prices on shop.test, https://other.test/x?y and Trustpilot", ["http://start.test:8080/"]);
    expect(bounded.hosts).toEqual(["other.test", "shop.test", "start.test"]);
    const judge = (url: string, at = "about:blank") => judgeScope(bounded, goto(url), at)?.rule ?? "allow";
    for (const url of ["https://shop.test/", "https://www.shop.test/", "http://a.b.other.test/", "https://start.test/"])
      expect([url, judge(url)]).toEqual([url, "allow"]);
    for (const url of [
      "https://evil.test/",
      "https://shop.test.evil.test/",
      "https://notshop.test/",
      "https://x.test/shop.test",
      "http://93.184.216.34/",
      "https://trustpilot.com/", // a word is no host: anybody may have it under some ending
      "https://shop.xyz/",
      "https://trustpilot.abc.io/",
    ])
      expect([url, judge(url)]).toEqual([url, "scope"]);
    expect(judge("https://evil.test/b", "https://evil.test/a")).toBe("allow"); // a link has led there, and the network's rules hold
    expect(judgeScope(scope("interact"), goto("https://any.test/"), "about:blank")).toBeNull(); // nothing named: nothing is out of bounds
  });

  it("are hosts, not files, programs and mail addresses", () => {
    expect(hostsIn("Read report.pdf and data.csv with node.js, e.g. the 2.5 kg one, and mail it to me@mail.test.")).toEqual([]);
    expect(hostsIn("See (https://shop.test/a), Bücher.test; and ftp.shop.test.")).toEqual([
      "shop.test",
      "xn--bcher-kva.test",
      "ftp.shop.test",
    ]);
    expect(hostsIn("Open the form.Then submit it.Test it, click button.primary or a.link, and go on.It is done.")).toEqual([]);
    expect(hostsIn("www.shop.it, www.app.shop.co.uk or HTTPS://WWW.other.Test/x, not a@b.com nor x/y.com")).toEqual([
      "other.test",
      "shop.it",
      "app.shop.co.uk",
    ]);
    fc.assert(fc.property(fc.string({ unit: "grapheme", maxLength: 80 }), (text) => void hostsIn(text)));
  });
});

describe("what of a page belongs to a goal", () => {
  const PAGE = [
    item("Orders", { kind: "heading", role: "heading" }),
    item("Name", { kind: "field", role: "textbox", value: "Ada" }),
    item("Note", { kind: "field", role: "textbox", value: "" }),
    item("Password", { kind: "field", role: "textbox", value: "[filled]", masked: true }),
    item("Save", { submits: true }),
    item("Next page", { submits: true }),
    item("Details", { kind: "link", role: "link", value: "/1" }),
    item("Delete order"),
    item("Buy now"),
    item("Sign out", { kind: "link", role: "link", value: "/out" }),
    item("Change password"),
    item("Close my account"),
  ];
  const shown = (...asked: Parameters<typeof scope>) => itemsInScope(scope(...asked), PAGE).map(({ name }) => name);

  it("is no form, no deed and nothing of the account for reading; what somebody has filled in is content", () => {
    expect(shown("read")).toEqual(["Orders", "Name", "Next page", "Details"]);
    expect(shown("navigate")).toEqual(["Orders", "Next page", "Details"]);
    expect(shown("read", "Read it", [], false)).toEqual(["Orders", "Name", "Next page", "Details", "Delete order", "Buy now"]);
  });

  it("is all but the account for what is done, all but its end for forms, unless somebody named it", () => {
    const rest = ["Orders", "Name", "Note", "Password", "Save", "Next page", "Details", "Delete order", "Buy now"];
    expect(shown("interact")).toEqual(rest);
    expect(shown("fill_form")).toEqual([...rest, "Sign out", "Change password"]);
    expect(shown("interact", "Set a new password, then log out")).toEqual([...rest, "Sign out", "Change password"]);
    expect(shown("interact", "Delete my account")).toContain("Close my account");
  });

  it("is what may be clicked, too", () => {
    const judge = (goal: GoalType, clicked: ClickTarget, intent?: string) =>
      judgeScopedClick(scope(goal, intent), clicked)?.rule ?? "allow";
    const form = { submits: true, form: { action: "https://shop.test/", method: "post" } };
    expect([judge("read", target("Save", form)), judge("interact", target("Save", form)), judge("read", target("Next", form))]).toEqual([
      "scope",
      "allow",
      "allow",
    ]);
    expect([
      judge("read", target("x", { text: "Delete" })),
      judge("interact", target("Log out")),
      judge("interact", target("Log out"), "Sign out"),
    ]).toEqual(["scope", "scope", "allow"]);
  });
});
