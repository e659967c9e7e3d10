import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bindPlaybook, bindStep } from "../../pool/playbook/bind.ts";
import { unifiedDiff } from "../../pool/playbook/diff.ts";
import { parsePlaybook } from "../../pool/playbook/load.ts";
import { type Deed, planRepair, type Repair } from "../../pool/playbook/repair.ts";
import { toTemplate } from "../../pool/playbook/retemplate.ts";
import { applyRepair } from "../../pool/playbook/yaml-edit.ts";
import type { Action } from "../../shared/action.ts";

const YAML = `# Cancels an order
id: cancel   # the id
parameters:
  - { name: order_id, type: int }
start_url: "https://shop.example/orders"

steps:
  # Finding it
  - description: Open order {order_id}
    action: click
    selector: "[data-testid='row-{order_id}'] a"  # the link

  - action: click
    selector:
      primary: "#cancel"     # was renamed in May
      fallbacks:
        # old shop
        - text=Cancel
    verify: { expect_text_on_page: "Sure?" }
  - { action: click, selector: { primary: "#yes", fallbacks: ["#ok"] } }
  - action: sequence
    params:
      actions:
        - { action: key_press, selector: "#note", params: { text: "Order {order_id}" } }
        - action: click
          selector: '#save'
`;

type Written = { action?: Action["action"]; selector: string; params?: object };
const deed = (action: Written, chain: string[], known: string[] = []): Deed => ({
  action: {
    action: "click",
    timeout_ms: null,
    ...action,
    params: action.params ?? { button: "left", click_count: 1 },
    selector: { primary: action.selector, fallbacks: [], description: null },
  } as Action,
  chain,
  known,
});
const bound = (yaml = YAML, params: Record<string, number | string> = { order_id: 12345 }) =>
  bindPlaybook(parsePlaybook(yaml), { params, credentialNames: [] });
const plan = (index: number, deeds: Deed[], yaml = YAML) =>
  planRepair({
    playbook: parsePlaybook(yaml),
    step: bindStep(bound(yaml), index, {}),
    deeds,
    isSecret: (text) => text.includes("hunter2"),
  });
const repairOf = (index: number, deeds: Deed[], yaml = YAML): Repair => {
  const planned = plan(index, deeds, yaml);
  if ("why" in planned) throw new Error(planned.why);
  return planned.repair;
};
const diffOf = (repair: Repair, yaml = YAML) =>
  unifiedDiff(yaml, applyRepair(yaml, repair).text, "cancel.yaml")
    .split("\n")
    .filter((line) => /^[-+](?![-+])/.test(line));

describe("a repair in an author's YAML", () => {
  it("leaves out selectors that nobody could read, and keeps the others", () => {
    const repair = repairOf(1, [deed({ selector: "#void" }, [`text="${"a".repeat(2500)}"`, "#void"])]);
    expect(repair.items).toMatchObject([{ chain: { primary: "#void" } }]);
    expect(JSON.stringify(repair)).not.toContain("aaa");
  });

  it("changes the selector and nothing else: new ones first, old ones kept, comments where they were", () => {
    const repair = repairOf(1, [deed({ selector: "#void" }, ['[data-testid="void"]', 'role=button[name="Void it"]'])]);
    expect(diffOf(repair)).toEqual([
      '-      primary: "#cancel"     # was renamed in May',
      `+      primary: '[data-testid="void"]'     # was renamed in May`,
      `+        - role=button[name="Void it"]`,
      '+        - "#cancel"',
    ]);
  });

  it("says values of the run as placeholders again, and leaves out what is true for this run alone", () => {
    const repair = repairOf(0, [deed({ selector: "x" }, ['role=link[name="#12345"]', "main > ul > li:nth-of-type(3) > a", 'text="Ada"'])]);
    expect(diffOf(repair)).toEqual([
      `-    selector: "[data-testid='row-{order_id}'] a"  # the link`,
      "+    selector:",
      `+      primary: role=link[name="#{order_id}"]`,
      "+      fallbacks:",
      `+        - "[data-testid='row-{order_id}'] a"  # the link`,
    ]);
    expect(plan(0, [deed({ selector: "x" }, ["main > a:nth-of-type(3)"])])).toMatchObject({ why: expect.stringContaining("another run") });
  });

  it("reads flow maps, and items of a sequence, of which only what was broken is changed", () => {
    expect(diffOf(repairOf(2, [deed({ selector: "#sure" }, ["#sure"])]))).toEqual([
      '-  - { action: click, selector: { primary: "#yes", fallbacks: ["#ok"] } }',
      '+  - { action: click, selector: { primary: "#sure", fallbacks: ["#yes", "#ok"] } }',
    ]);
    const typed = deed({ action: "key_press", selector: "#note", params: { text: "Order 12345" } }, ["#note"], ["#note"]);
    expect(diffOf(repairOf(3, [typed, deed({ selector: "#store" }, ["#store"])]))).toEqual([
      "-          selector: '#save'",
      "+          selector:",
      '+            primary: "#store"',
      "+            fallbacks:",
      '+              - "#save"',
    ]);
  });

  it("makes a sequence of a step before which something else has to be clicked", () => {
    const opened = deed({ selector: "#more" }, ["#more", 'role=button[name="More"]']);
    const repair = repairOf(1, [opened, deed({ selector: "#cancel" }, ["#cancel"], ["#cancel"])]);
    const { playbook, text } = applyRepair(YAML, repair);
    expect(text).toContain("# Finding it");
    expect(playbook.steps[1]).toMatchObject({
      action: "sequence",
      selector: null,
      params: {
        actions: [
          { action: "click", selector: { primary: "#more", fallbacks: ['role=button[name="More"]'] } },
          { action: "click", selector: { primary: "#cancel", fallbacks: ["text=Cancel"] } },
        ],
      },
    });
  });

  it("proposes nothing where the agent went another way, typed something else, or would show a secret", () => {
    const typed = deed({ action: "key_press", selector: "#a", params: { text: "x" } }, ["#a"]);
    for (const deeds of [
      [typed],
      [typed, deed({ selector: "#b" }, ["#b"])],
      [deed({ selector: "#cancel" }, ["#cancel"], ["#cancel"])],
      [deed({ selector: "#c" }, ['text="hunter2"'])],
      [],
    ])
      expect(plan(1, deeds)).toHaveProperty("why");
  });

  it("refuses a step that is another one by now", () => {
    const repair = repairOf(1, [deed({ selector: "#void" }, ["#void"])]);
    expect(() => applyRepair(YAML.replace("#cancel", "#undo"), repair)).toThrow("not the one any more");
    expect(applyRepair(YAML.replace("Finding it", "Another word"), repair).text).toContain("Another word");
  });

  it("says what was meant, however the selector is written", () => {
    const selectors = [
      `"#a"`,
      "'#a'",
      "role=button[name='A']",
      `{ primary: "#a" }`,
      `{ primary: "#a", fallbacks: [] }`,
      `{fallbacks: ["#b", '#c'], primary: "#a", description: It}`,
      `\n      primary: "#a"\n      description: It # why`,
      `\n      primary: '#a'\n      fallbacks: ['#b',\n        "#c"]`,
      `\n      primary: &it "#a"\n      fallbacks:\n      - "#b" # the other`,
      `>-\n      #a`,
      `\n      "#a"`,
      "&sel { primary: '#a' }",
    ];
    const text = fc.oneof(
      fc.constantFrom(
        "#x",
        '[data-testid="a: b"]',
        'role=button[name="It\'s, {so} #1"]',
        "text=\"- 'x'\"",
        "- a",
        "a: b",
        "?",
        "@x",
        "true",
        "1",
      ),
      fc.string({ minLength: 1, maxLength: 20 }).filter((each) => each.trim() === each && /^[\x20-\x7e]+$/.test(each)),
    );
    fc.assert(
      fc.property(
        fc.constantFrom(...selectors),
        fc.constantFrom("\n", "\r\n"),
        fc.uniqueArray(text, { minLength: 1, maxLength: 4 }),
        (written, eol, fresh) => {
          const yaml =
            `id: p # first\nsteps:\n  - action: click\n    selector: ${written}\n    # last\n  - action: goto\n    params: { url: "https://a.example" }\n`.replaceAll(
              "\n",
              eol,
            );
          const was = parsePlaybook(yaml).steps[0] as never as Repair["was"];
          const old = was.selector as { primary: string; fallbacks: string[] };
          const fallbacks = [...fresh.slice(1), old.primary, ...old.fallbacks];
          const { text, playbook } = applyRepair(yaml, {
            step: 0,
            was,
            items: [{ kept: 0, chain: { primary: fresh[0] as string, fallbacks } }],
          });
          expect(playbook.steps[0]?.selector).toMatchObject({ primary: fresh[0], fallbacks });
          for (const comment of ["# first", "# last"]) expect(text).toContain(comment);
        },
      ),
    );
  });
});

describe("a selector of the live page", () => {
  it("gets back its placeholders only as whole words, never as a position", () => {
    const say = (selector: string, values: Record<string, string | number>, needed: string[] = []) =>
      toTemplate(selector, { values, needed });
    expect(say('[data-testid="order-12345"]', { order_id: 12345 })).toBe('[data-testid="order-{order_id}"]');
    expect(say('[data-testid="order-912345"]', { order_id: 12345 })).toBeNull();
    expect(say("#a > li:nth-of-type(5)", { n: 5 }, ["n"])).toBeNull();
    expect(say('role=link[name="Row 5"]', { n: 5 }, ["n"])).toBe('role=link[name="Row {n}"]');
    expect(say('role=button[name="Inbox (3)"]', {})).toBeNull();
    expect(say('role=button[name="Other options"]', { reason: "Other" })).toBeNull();
    expect(say('role=option[name="It\'s \\"so\\""]', { label: 'It\'s "so"' }, ["label"])).toBe('role=option[name="{label}"]');
    expect(say('text="Hello {name}"', {})).toBeNull();
    expect(say('[id="ALICE-row"]', { user: "alice" })).toBeNull();
    expect(say('[id="ORD-12A"]', { order: "ord-12a" })).toBeNull();
    expect(say('role=row[name="alice ALICE"]', { user: "alice" }, ["user"])).toBeNull();
    expect(say('role=row[name="ow in a row"]', { n: "ow" }, ["n"])).toBe('role=row[name="{n} in a row"]');
    expect(say('role=link[name="name"]', { label: "name" }, ["label"])).toBeNull();
    expect(say("text=li 12345", { n: 12345 }, ["n"])).toBe("text=li {n}");
    expect(say("li#n12345 > li.li", { n: "n12345" }, ["n"])).toBe("li#{n} > li.li");
    expect(say("#a > li", { kind: "li" }, ["kind"])).toBeNull();
  });

  it("finds the same again with the run's own values, whatever they are", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: "grapheme", minLength: 1, maxLength: 12 }),
        fc.constantFrom("role=link[name=", "text=", "[data-testid="),
        (value, start) => {
          const selector = `${start}"${value.replace(/["\\]/g, "\\$&")}"${start === "text=" ? "" : "]"}`;
          const template = toTemplate(selector, { values: { value }, needed: ["value"] });
          expect([null, `${start}"{value}"${start === "text=" ? "" : "]"}`]).toContain(template);
        },
      ),
      {
        examples: [
          ["name", "role=link[name="],
          ["data", "[data-testid="],
          ["role", "role=link[name="],
        ],
      },
    );
  });
});
