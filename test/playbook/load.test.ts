import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { lineInPlaybook, parsePlaybook } from "../../pool/playbook/load.ts";
import { issuesOf as issuesIn } from "../support/issues.ts";
import { rounds } from "../support/rounds.ts";

const issuesOf = (source: string | object) => issuesIn(() => parsePlaybook(source));

const HEAD = "id: a\nsteps:\n";

it("refuses guardrails that contradict each other or the defaults, by field and line", () => {
  const load = (rules: string) => issuesOf(`id: a\nguardrails:\n${rules}\nsteps: [{action: wait_for, selector: a}]\n`);
  expect(load("  stuck_repeat_warn: 6\n  stuck_repeat_hint: 6")).toEqual([
    { path: "guardrails.stuck_repeat_hint", message: "Must be less than stuck_repeat_warn (6), is 6", line: 4 },
  ]);
  expect(load("  stuck_window_size: 8")).toEqual([
    { path: "guardrails.stuck_window_size", message: "Must hold stuck_cycle_max_length × stuck_cycle_repeats actions (9), is 8", line: 3 },
  ]);
  expect(load("  stuck_failure_cluster_threshold: 6")).toMatchObject([{ path: "guardrails.stuck_failure_cluster_threshold", line: 3 }]);
});

describe("a playbook from YAML", () => {
  it("has defaults for everything but its id and its steps", () => {
    const playbook = parsePlaybook("id: cancel-order\nsteps:\n  - action: click\n    selector: text=Cancel\n");
    expect(playbook).toMatchObject({ id: "cancel-order", name: "cancel-order", tags: [], parameters: [], start_url: null, guardrails: {} });
    expect(playbook.steps[0]).toEqual({
      action: "click",
      params: {},
      selector: { primary: "text=Cancel", fallbacks: [], description: null },
      verify: null,
      description: "",
      on_failure: "llm_recover",
      failure_message: null,
      store_as: null,
      timeout_ms: null,
      once: false,
    });
  });

  it("knows the line of its fields", () => {
    const playbook = parsePlaybook(
      "id: a\nsteps:\n  - action: click\n    selector:\n      primary: a\n      fallbacks:\n        - b\n        - c\n",
    );
    expect(lineInPlaybook(playbook, ["steps", 0, "selector", "fallbacks", 1])).toBe(8);
    expect(lineInPlaybook(playbook, ["steps", 0, "verify", "expect_url_contains"])).toBe(3);
  });

  it.each([
    ["unknown top-level field", "id: a\nfoo: 1\nsteps: [{action: wait_for, selector: a}]\n", "foo", 2, /Unknown field/],
    ["unknown field of a step", `${HEAD}  - action: click\n    selector: a\n    colour: red\n`, "steps[0].colour", 5, /Unknown field/],
    [
      "unknown param",
      `${HEAD}  - action: goto\n    params:\n      url: http://x\n      wait: 1\n`,
      "steps[0].params.wait",
      6,
      /Unknown field/,
    ],
    [
      "unknown field of a selector",
      `${HEAD}  - action: click\n    selector:\n      primary: a\n      exact: true\n`,
      "steps[0].selector.exact",
      6,
      /Unknown/,
    ],
    [
      "unknown field of verify",
      `${HEAD}  - action: click\n    selector: a\n    verify: {expect_title: x}\n`,
      "steps[0].verify.expect_title",
      5,
      /Unknown/,
    ],
    [
      "unknown guardrail",
      `id: a\nguardrails:\n  speed: 1\nsteps: [{action: wait_for, selector: a}]\n`,
      "guardrails.speed",
      3,
      /Unknown field/,
    ],
    [
      "unknown field in a sequence",
      `${HEAD}  - action: sequence\n    params:\n      actions:\n        - action: click\n          selector: {primary: a, x: b}\n`,
      "steps[0].params.actions[0].selector.x",
      7,
      /Unknown field/,
    ],
    ["unknown action", `${HEAD}  - action: clik\n    selector: a\n`, "steps[0].action", 3, /Unknown action "clik"; known are goto, click/],
    [
      "unknown action in a sequence",
      `${HEAD}  - action: sequence\n    params:\n      actions:\n        - action: hover\n`,
      "steps[0].params.actions[0].action",
      6,
      /Unknown action "hover"/,
    ],
    ["an action that only a later version knows", `${HEAD}  - action: api_request\n`, "steps[0].action", 3, /Unknown action "api_request"/],
    [
      "nested sequence",
      `${HEAD}  - action: sequence\n    params:\n      actions:\n        - action: sequence\n`,
      "steps[0].params.actions[0].action",
      6,
      /cannot hold a sequence/,
    ],
    ["missing action", `${HEAD}  - selector: a\n`, "steps[0].action", 3, /Required; known are/],
    ["missing selector", `${HEAD}  - action: click\n`, "steps[0].selector", 3, /click needs a selector/],
    [
      "selector too many",
      `${HEAD}  - action: goto\n    selector: a\n    params: {url: http://x}\n`,
      "steps[0].selector",
      4,
      /takes no selector/,
    ],
    [
      "a time that outlives the idle clock",
      `${HEAD}  - action: click\n    selector: a\n    timeout_ms: 120001\n`,
      "steps[0].timeout_ms",
      5,
      /at most 120000/,
    ],
    ["missing steps", "id: a\nname: b\n", "steps", 1, /^Required: a list$/],
    ["no steps", "id: a\nsteps: []\n", "steps", 2, /^Must not be empty$/],
    ["bad id", "id: ../a\nsteps: [{action: wait_for, selector: a}]\n", "id", 1, /1 to 100 of a-z/],
    [
      "wrong type",
      `${HEAD}  - action: key_press\n    params:\n      text: 12345\n`,
      "steps[0].params.text",
      5,
      /^Expected a text, not a number$/,
    ],
    ["wrong enum", `${HEAD}  - action: click\n    selector: a\n    on_failure: explode\n`, "steps[0].on_failure", 5, /llm_recover/],
    [
      "a placeholder without quotes",
      `${HEAD}  - action: goto\n    params:\n      url: {base}\n`,
      "steps[0].params.url",
      5,
      /needs quotes: "{base}"/,
    ],
    [
      "a bad pattern",
      "id: a\nparameters:\n  - name: x\n    pattern: '('\nsteps: [{action: wait_for, selector: a}]\n",
      "parameters[0].pattern",
      4,
      /regular expression/,
    ],
    [
      "a default that is not of its type",
      "id: a\nparameters:\n  - name: x\n    type: int\n    default: zz\nsteps: [{action: wait_for, selector: a}]\n",
      "parameters[0].default",
      5,
      /whole number/,
    ],
    [
      "a parameter twice",
      "id: a\nparameters:\n  - name: x\n  - name: x\nsteps: [{action: wait_for, selector: a}]\n",
      "parameters[1].name",
      4,
      /declared twice/,
    ],
    [
      "text and credential_ref",
      `${HEAD}  - action: key_press\n    params: {text: a, credential_ref: b}\n`,
      "steps[0].params",
      4,
      /not both/,
    ],
    ["an empty key_press", `${HEAD}  - action: key_press\n`, "steps[0].params", 3, /Needs text, key/],
    [
      "a key twice",
      "id: a\nsteps:\n  - action: goto\n    params:\n      url: http://x\n      url: http://y\n",
      "steps[0].params.url",
      6,
      /twice/,
    ],
    ["two documents", "id: a\nsteps: []\n---\nid: b\n", "", 3, /one document/],
    ["a tag", `${HEAD}  - action: !js goto\n`, "", 3, /tag/],
    ["a tab as indentation", `${HEAD}\t- action: goto\n`, "", 3, /Tabs/],
    ["a key that is no text", `${HEAD}  - action: goto\n    ? {a: b}\n    : c\n`, "", 4, /plain text/],
    ["an unclosed quote", `${HEAD}  - action: "goto\n`, "", 4, /closing " quote: it was opened above/],
    ["nothing", "", "", 1, /^Expected an object, not null$/],
    ["a list", "- a\n", "", 1, /^Expected an object, not a list$/],
    [
      "__proto__",
      `${HEAD}  - action: goto\n    params:\n      url: http://x\n      __proto__: {a: b}\n`,
      "steps[0].params.__proto__",
      6,
      /Unknown field/,
    ],
    ["an alias into itself", `${HEAD}  - action: goto\n    params: &p\n      url: *p\n`, null, 5, /Nested deeper/],
    ["an alias to nothing", `${HEAD}  - action: *p\n`, "", 3, /alias/i],
  ])("is refused for %s, by path and line", (_case, source, path, line, message) => {
    const issues = issuesOf(source);
    const found = issues.find((issue) => path === null || issue.path === path);
    expect(found, JSON.stringify(issues)).toMatchObject({ line, message: expect.stringMatching(message) });
  });

  it("lists everything that is wrong, not only the first", () => {
    expect(issuesOf(`${HEAD}  - action: clik\n  - action: goto\n    params: {uri: x}\n    zork: 1\n`).map(({ path }) => path)).toEqual([
      "steps[0].action",
      "steps[1].zork",
      "steps[1].params.url",
      "steps[1].params.uri",
    ]);
  });

  it("is told with the selectors, keys, scripts and addresses that are wrong, which need no value to be judged", () => {
    const source = [
      "id: a",
      "start_url: ftp://x",
      "parameters:",
      "  - {name: which, inject_into: steps.3.selector.primary}",
      "steps:",
      "  - action: clik",
      "    selector: role=buton",
      "  - action: sequence",
      "    params:",
      "      actions:",
      "        - {action: key_press, params: {key: Bogus}}",
      "        - {action: goto, params: {url: 'file:///etc'}}",
      "        - {action: click, selector: {primary: '#{id}', fallbacks: [id=b]}}",
      "  - action: evaluate",
      "    params: {expression: 'f('}",
      "    verify: {expect_element_gone: '%', expect_title: x}",
      "  - {action: click, selector: '%'}",
    ];
    expect(issuesOf(source.join("\n")).map(({ path, line }) => [path, line])).toEqual([
      ["steps[0].action", 6],
      ["steps[2].verify.expect_title", 16],
      ["start_url", 2],
      ["steps[0].selector.primary", 7],
      ["steps[1].params.actions[0].params.key", 11],
      ["steps[1].params.actions[1].params.url", 12],
      ["steps[1].params.actions[2].selector.fallbacks[0]", 13],
      ["steps[2].params.expression", 15],
      ["steps[2].verify.expect_element_gone.primary", 16],
    ]);
  });

  it("takes anchors in small numbers", () => {
    const playbook = parsePlaybook(`${HEAD}  - &s\n    action: click\n    selector: a\n  - *s\n`);
    expect(playbook.steps[1]).toEqual(playbook.steps[0]);
  });

  it("leaves a placeholder where a number or a choice belongs to binding", () => {
    const playbook = parsePlaybook(`${HEAD}  - action: scroll\n    params: {amount: "{px}", direction: "{way}"}\n`);
    expect(playbook.steps[0]?.params).toEqual({ amount: "{px}", direction: "{way}" });
  });
});

describe("hostile YAML", () => {
  const N = 300_000;
  it.each([
    ["a bomb of aliases", "a: &a [1,1,1,1,1,1,1,1]\nb: &b [*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c,*c]\n"],
    ["brackets without end", "[".repeat(N)],
    ["lists in lists", "- ".repeat(25_000)],
    ["keys in keys", "? ".repeat(25_000)],
    ["half a million keys", Array.from({ length: N / 8 }, (_, i) => `k${i}: 1`).join("\n")],
    ["many unknown fields", `id: a\nsteps: []\n${Array.from({ length: 14_000 }, (_, i) => `k${i}: 1`).join("\n")}`],
    ["many same keys", "a: 1\n".repeat(14_000)],
    ["thousands of errors", "]\n".repeat(N / 2)],
    ["commas", `{${",".repeat(59_000)}}`],
    ["quotes", '"'.repeat(59_000)],
    ["directives", "%\n".repeat(N / 2)],
    ["deep indentation", Array.from({ length: 700 }, (_, i) => `${" ".repeat(i)}a:`).join("\n")],
    ["tokens of a long tag", "!".repeat(N)],
    ["too long", "x".repeat(500_001)],
  ])("%s is refused soon, in few words", (_case, source) => {
    const began = process.cpuUsage();
    const issues = issuesOf(source);
    const { user, system } = process.cpuUsage(began);
    expect((user + system) / 1e6).toBeLessThan(10); // in seconds: 0.01 to 2 here, 45 when keys were compared each with each
    expect(JSON.stringify(issues).length).toBeLessThan(10_000);
  });

  it("never makes anything throw but VALIDATION_FAILED", () => {
    const word = fc.constantFrom(
      "id: a\n",
      "steps:\n",
      "  - ",
      "action: ",
      "goto",
      "sequence",
      "params: ",
      "{",
      "}",
      "[",
      "]",
      "&a ",
      "*a",
      "!!map ",
      "\n",
      "    ",
      "? ",
      ": ",
      "'",
      '"',
      "|\n",
      "---\n",
      "%",
      "{x}",
      "selector: ",
      "__proto__: ",
      "<<: ",
    );
    const text = fc.oneof(
      fc.array(fc.oneof(word, fc.string({ maxLength: 5 })), { maxLength: 40 }).map((words) => words.join("")),
      fc.string(),
    );
    fc.assert(
      fc.property(text, (source) => {
        try {
          parsePlaybook(source);
        } catch (error) {
          expect(error).toMatchObject({ name: "AppError", code: "VALIDATION_FAILED" });
        }
      }),
      rounds(400),
    );
  });

  it("never makes anything throw but VALIDATION_FAILED, as an object either", () => {
    const step = fc.dictionary(
      fc.constantFrom("action", "params", "selector", "verify", "description", "store_as", "__proto__", "x"),
      fc.oneof(fc.constantFrom("goto", "sequence", "click", "toString", "__proto__", { actions: [null, { selector: 1 }] }), fc.jsonValue()),
    );
    fc.assert(
      fc.property(
        fc.record({ id: fc.oneof(fc.constant("a"), fc.jsonValue()), steps: fc.oneof(fc.array(step), fc.jsonValue()) }),
        (source) => {
          try {
            parsePlaybook(source);
          } catch (error) {
            expect(error).toMatchObject({ name: "AppError", code: "VALIDATION_FAILED" });
          }
        },
      ),
      rounds(200),
    );
  });
});

describe("an inline playbook", () => {
  it("is refused by path, without lines", () => {
    expect(issuesOf({ id: "a", steps: [{ action: "click", selector: "a", hue: 1 }] })).toEqual([
      { path: "steps[0].hue", message: "Unknown field" },
    ]);
  });

  it("is judged to its end whatever its fields are", () => {
    const parameters = [{ name: "x", inject_into: { toString: 1 } }];
    const steps = [null, [], { action: "sequence", params: { actions: [0, { selector: "%" }] }, verify: "x" }];
    expect(issuesOf({ id: "a", parameters, steps }).map(({ path }) => path)).toContain("steps[2].params.actions[1].selector.primary");
  });

  it("is refused when it has no end", () => {
    const params: Record<string, unknown> = { url: "http://x" };
    params.more = params;
    expect(issuesOf({ id: "a", steps: [{ action: "goto", params }] })[0]?.message).toMatch(/Nested deeper/);
  });
});
