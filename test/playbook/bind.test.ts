import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type BindInput, bindPlaybook, bindStep } from "../../pool/playbook/bind.ts";
import { composeTyped } from "../../pool/playbook/bind-step.ts";
import { parsePlaybook } from "../../pool/playbook/load.ts";
import { SecretValue } from "../../shared/secret-value.ts";
import { issuesOf } from "../support/issues.ts";
import { rounds } from "../support/rounds.ts";

type Source = { parameters?: object[]; start_url?: string; steps: object[] };
const bind = (source: Source, input: Partial<BindInput> = {}) =>
  bindPlaybook(parsePlaybook({ id: "a", ...source }), { credentialNames: [], ...input });
const bound = (source: Source, input: Partial<BindInput> = {}, index = 0, stored = {}) => bindStep(bind(source, input), index, stored);
const click = (selector: string) => ({ action: "click", selector });
const goto = (url: string) => ({ action: "goto", params: { url } });
const extract = (store_as: string) => ({ action: "extract", selector: "#total", store_as });
const type = (text: string) => ({ action: "key_press", params: { text } });

describe("values of parameters", () => {
  const order = { name: "order_id", type: "int" };
  const use = [goto("http://x/{order_id}")];
  const urlOf = (parameters: object[], input: Partial<BindInput>) => bound({ parameters, steps: use }, input).actions[0]?.action.params;

  it("come from the request, each by itself, before the directive and the default", () => {
    const parameters = [order, { name: "reason", default: "none" }, { name: "note", pattern: "note (\\w+)", default: "x" }];
    const steps = [goto("http://x/{order_id}/{reason}/{note}")];
    const input = { params: { order_id: 12345 }, directive: "cancel order 99999 note hello" };
    expect(bound({ parameters, steps }, input).actions[0]?.action.params).toEqual({ url: "http://x/12345/none/hello" });
  });

  it("are whole numbers for an int, given as number or as text", () => {
    expect(urlOf([order], { params: { order_id: " 0123 " } })).toEqual({ url: "http://x/123" });
    for (const order_id of ["12a", "", "1.5", 1.5, true, "9".repeat(17), Number.NaN]) {
      expect(issuesOf(() => urlOf([order], { params: { order_id } }))).toEqual([expect.objectContaining({ path: "params.order_id" })]);
    }
  });

  it("are text for everything else", () => {
    expect(urlOf([{ name: "order_id" }], { params: { order_id: false } })).toEqual({ url: "http://x/false" });
  });

  it("are refused when the playbook has no such parameter, with those it has", () => {
    expect(issuesOf(() => urlOf([order], { params: { order_id: 1, oder_id: 2 } }))).toEqual([
      { path: "params.oder_id", message: 'Playbook "a" has no such parameter; it has order_id' },
    ]);
  });

  it("must be there when required, and are complained of once", () => {
    expect(issuesOf(() => urlOf([order], {}))).toEqual([{ path: "params.order_id", message: "Required" }]);
    expect(issuesOf(() => urlOf([order], { directive: "cancel" }))[0]?.message).toMatch(/directive does not say/);
  });

  it("may be missing when optional, unless something needs them", () => {
    const optional = { ...order, required: false };
    expect(bound({ parameters: [optional], steps: [goto("http://x")] }).actions[0]?.action.params).toEqual({ url: "http://x" });
    expect(issuesOf(() => urlOf([optional], {}))).toEqual([
      { path: "steps[0].params.url", message: "{order_id} stands for a parameter that has no value" },
    ]);
  });

  it("include the directive under its name, unless a parameter bears it", () => {
    const steps = [type("{directive}")];
    expect(bound({ steps }, { directive: "hello" }).actions[0]?.action.params).toEqual({ text: "hello" });
    expect(issuesOf(() => bound({ steps }))[0]?.message).toMatch(/no directive/);
    const parameters = [{ name: "directive", default: "mine" }];
    expect(bound({ parameters, steps }, { directive: "hello" }).actions[0]?.action.params).toEqual({ text: "mine" });
  });

  it("may bear any name that the schema allows", () => {
    const parameters = [{ name: "__proto__" }, { name: "constructor" }];
    const steps = [type("{__proto__} {constructor}")];
    const params = JSON.parse('{"__proto__": "a", "constructor": "b"}');
    expect(bound({ parameters, steps }, { params }).actions[0]?.action.params).toEqual({ text: "a b" });
  });

  it("warns when a default stands in for what the directive did not say", () => {
    const playbook = { parameters: [{ name: "reason", default: "none" }], steps: use.slice(0, 0).concat(goto("http://x")) };
    expect(bind(playbook, { directive: "cancel" }).warnings).toEqual(['Parameter "reason" is not in the directive; its default is used']);
    expect(bind(playbook, { params: { reason: "none" }, directive: "cancel" }).warnings).toEqual([]);
  });
});

describe("placeholders", () => {
  it("are filled in everywhere but in expressions and names of fields", () => {
    const step = {
      action: "key_press",
      params: { text: "{x}!", key: "{x}" },
      selector: { primary: "#{x}", fallbacks: ["text={x}"], description: "the {x}" },
      verify: { expect_url_contains: "{x}", expect_text_on_page: "{x}", expect_element_visible: "#{x}", expect_element_gone: "text/{x}" },
      description: "types {x}",
      failure_message: "no {x}",
    };
    expect(bound({ parameters: [{ name: "x" }], steps: [step] }, { params: { x: "v" } })).toMatchObject({
      actions: [
        {
          action: {
            action: "key_press",
            params: { text: "v!", key: "v" },
            selector: { primary: "#v", fallbacks: ["text=v"], description: "the v" },
          },
        },
      ],
      verify: {
        expect_url_contains: "v",
        expect_text_on_page: "v",
        expect_element_visible: { primary: "#v" },
        expect_element_gone: { primary: "text/v" },
      },
      description: "types v",
      failure_message: "no v",
    });
  });

  it("leave an expression alone, which gets the values instead", () => {
    const steps = [extract("total"), { action: "evaluate", params: { expression: "({x, total} = params, {x})" } }];
    const step = bound({ parameters: [{ name: "x", type: "int" }], steps }, { params: { x: 5 } }, 1, { total: "$3" });
    expect(step.actions[0]?.action.params).toEqual({ expression: "({x, total} = params, {x})" });
    expect(step.values).toEqual({ x: 5, total: "$3" });
  });

  it("that nobody knows are refused, all of them, by path", () => {
    const steps = [click("#{a}"), { ...click("#b"), description: "{c}", verify: { expect_url_contains: "{d}" }, failure_message: "{e}" }];
    expect(issuesOf(() => bind({ steps }))).toEqual([
      { path: "steps[0].selector.primary", message: "{a} is unknown: no parameter and no store_as has this name" },
      { path: "steps[1].description", message: expect.stringContaining("{c}") },
      { path: "steps[1].failure_message", message: expect.stringContaining("{e}") },
      { path: "steps[1].verify.expect_url_contains", message: expect.stringContaining("{d}") },
    ]);
  });

  it("are refused with the line in the playbook's YAML", () => {
    const playbook = parsePlaybook("id: a\nsteps:\n  - action: goto\n    params:\n      url: http://x/{y}\n");
    expect(issuesOf(() => bindPlaybook(playbook, { credentialNames: [] }))).toEqual([
      expect.objectContaining({ path: "steps[0].params.url", line: 5 }),
    ]);
  });

  it("in a sequence are named by the action they are in", () => {
    const steps = [{ action: "sequence", params: { actions: [click("a"), click("#{x}")] } }];
    expect(issuesOf(() => bind({ steps }))[0]?.path).toBe("steps[0].params.actions[1].selector.primary");
  });

  it("have to give what the action needs, once they are filled in", () => {
    const parameters = [{ name: "n" }];
    const steps = [{ action: "scroll", params: { amount: "{n}", direction: "up" } }];
    expect(bound({ parameters, steps }, { params: { n: "40" } }).actions[0]?.action.params).toEqual({ amount: 40, direction: "up" });
    expect(issuesOf(() => bound({ parameters, steps }, { params: { n: "many" } }))[0]?.path).toBe("steps[0].params.amount");
    const choice = [{ action: "scroll", params: { direction: "{n}" } }];
    expect(issuesOf(() => bound({ parameters, steps: choice }, { params: { n: "sideways" } }))[0]).toMatchObject({
      path: "steps[0].params.direction",
    });
  });

  it("have to give what each action of a sequence needs, too", () => {
    const parameters = [{ name: "n" }];
    const steps = [{ action: "sequence", params: { actions: [click("a"), { action: "scroll", params: { amount: "{n}" } }, goto("{n}")] } }];
    expect(issuesOf(() => bind({ parameters, steps }, { params: { n: "many" } })).map(({ path }) => path)).toEqual([
      "steps[0].params.actions[1].params.amount",
      "steps[0].params.actions[2].params.url",
    ]);
    const late = [extract("n"), ...steps];
    expect(() => bindStep(bind({ steps: late }), 1, { n: "many" })).toThrow("params.actions[1].params.amount");
  });

  it("with capital letters are none, which is worth a warning", () => {
    const { warnings } = bind({
      steps: [type("{credentials.Password} {b}"), { action: "evaluate", params: { expression: "{A}" } }],
      parameters: [{ name: "b", default: "c" }],
    });
    expect(warnings).toEqual(["steps[0].params.text: {credentials.Password} is no placeholder, their names are lower-case"]);
  });

  it("never make a value that looks like one expand", () => {
    const parameters = [{ name: "a" }, { name: "b", default: "secret" }];
    const step = bound({ parameters, steps: [type("{a}")] }, { params: { a: "{b} {credentials.p}" }, credentialNames: ["p"] });
    expect(step.actions[0]).toEqual({ action: expect.objectContaining({ params: { text: "{b} {credentials.p}" } }), typed: null });
  });
});

it("binds the same again with the values that were found the first time", () => {
  const source = {
    parameters: [
      { name: "id", type: "int" },
      { name: "why", required: false },
      { name: "to", pattern: "to (\\w+)" },
    ],
    steps: [goto("http://x/{id}/{to}/{directive}")],
  };
  const directive = "move 12345 to Rome";
  const first = bind(source, { directive });
  expect(first.params).toEqual({ id: 12345, to: "Rome" });
  const again = bind(source, { directive, params: first.params });
  expect(bindStep(again, 0, {})).toEqual(bindStep(first, 0, {}));
});

describe("any playbook", () => {
  const words = (...from: string[]) => fc.array(fc.constantFrom(...from), { minLength: 1, maxLength: 3 }).map((each) => each.join(""));
  const odd = words("{p}", "{late}", "{credentials.c}", "{credentials.d}", "{X}", "1", "http://x/", "#", "[a='", "']", "{", "}");
  const text = fc.oneof({ weight: 9, arbitrary: words("{p}", "{q}", "a", "{X}", "}") }, { weight: 1, arbitrary: odd });
  const typed = fc.oneof({ weight: 9, arbitrary: words("{p}", "{credentials.c}", "a") }, { weight: 1, arbitrary: odd });
  const selector = fc.oneof(
    { weight: 9, arbitrary: fc.constantFrom("#{p}", "text={q}", "role=button[name='{p}']", "xpath///a[.='{q}']", "li") },
    { weight: 1, arbitrary: odd },
  );
  const action = fc.oneof(
    fc.record({ action: fc.constant("goto"), params: fc.record({ url: text.map((each) => `http://x/${each}`) }) }),
    fc.record({
      action: fc.constant("click"),
      selector,
      params: fc.record({ click_count: fc.constantFrom("1", 2, "{q}", "{late}") }, { requiredKeys: [] }),
    }),
    fc.record({ action: fc.constant("key_press"), params: fc.record({ text: typed, key: text }) }),
    fc.record({ action: fc.constant("key_press"), params: fc.record({ credential_ref: fc.constantFrom("c", "{p}") }) }),
    fc.record({ action: fc.constant("extract"), selector }),
    fc.record({ action: fc.constant("evaluate"), params: fc.record({ expression: text }) }),
  );
  const step = fc.oneof(
    action,
    fc.array(action, { minLength: 1, maxLength: 3 }).map((actions) => ({ action: "sequence", params: { actions } })),
  );
  const injected = fc.constantFrom(
    "steps.1.params.text",
    "steps.1.params.actions.0.selector",
    "steps.1.selector.primary",
    "steps.1.verify.timeout_ms",
  );
  const parameter = (name: string) =>
    fc.record({
      name: fc.constant(name),
      type: fc.constantFrom("string", "string", "int"),
      default: fc.constantFrom("3", "7", "7", "x", null),
      required: fc.boolean(),
      inject_into: fc.oneof({ weight: 9, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: injected }),
    });
  const value = fc.oneof(fc.string(), fc.constantFrom("{p}", "{credentials.c}", "']", "7", "javascript:x"), fc.integer());

  it("is refused, or each of its steps binds, and no credential but a named one is ever in it", () => {
    let accepted = 0;
    fc.assert(
      fc.property(
        fc.array<object>(step, { maxLength: 3 }),
        fc.tuple(parameter("p"), parameter("q")),
        fc.dictionary(fc.constantFrom("p", "q"), value),
        value,
        (steps, parameters, params, stored) => {
          steps.unshift({ action: "extract", selector: "#late", store_as: "late" });
          try {
            const ready = bindPlaybook(parsePlaybook({ id: "a", parameters, steps }), { params, credentialNames: ["c"] });
            accepted += 1;
            for (const index of ready.playbook.steps.keys()) {
              for (const { action, typed } of bindStep(ready, index, { late: String(stored), p: String(stored) }).actions) {
                if (typed) expect(typed.filter((piece) => typeof piece !== "string")).toContainEqual({ credential: "c" });
                if ("credential_ref" in action.params && !typed) expect(action.params.credential_ref).toBe("c");
              }
            }
          } catch (error) {
            expect(error).toMatchObject({ name: "AppError", code: "VALIDATION_FAILED" });
          }
        },
      ),
      rounds(500),
    );
    expect(accepted).toBeGreaterThan(50);
  });
});

describe("addresses", () => {
  it.each([
    "javascript:alert(1)",
    "file:///etc/passwd",
    "data:text/html,x",
    "chrome://version",
    "/orders",
    "ftp://x",
    "http://",
    "view-source:http://x",
  ])("%s is no place to go", (url) => {
    expect(issuesOf(() => bind({ steps: [goto(url)] }))[0]).toMatchObject({
      path: "steps[0].params.url",
      message: "Expected an http or https URL",
    });
    const parameters = [{ name: "u", default: url }];
    expect(issuesOf(() => bind({ parameters, steps: [goto("{u}")] }))[0]?.path).toBe("steps[0].params.url");
    expect(issuesOf(() => bind({ start_url: url, steps: [click("a")] }))[0]?.path).toBe("start_url");
  });

  it.each(["http://user:hunter2@x/", "https://user@x/", "http://:hunter2@x/"])("have no place for a name or password: %s", (url) => {
    const sources = [
      { steps: [goto(url)] },
      { start_url: url, steps: [click("a")] },
      { start_url: "{u}", parameters: [{ name: "u", default: url }], steps: [click("a")] },
    ];
    for (const source of sources) {
      const [issue] = issuesOf(() => bind(source));
      expect(issue?.message).toContain("without a user name or password");
      expect(issue?.message).not.toContain("hunter2");
    }
  });

  it("take parameters, in start_url too", () => {
    const source = { parameters: [{ name: "host" }], start_url: "https://{host}/login", steps: [goto("https://{host}")] };
    expect(bind(source, { params: { host: "shop.example" } }).start_url).toBe("https://shop.example/login");
    expect(issuesOf(() => bind({ start_url: "https://{host}", steps: [click("a")] }))[0]).toMatchObject({ path: "start_url" });
  });
});

describe("stored texts", () => {
  it("are bound just before the step, with what was stored by then", () => {
    const steps = [extract("total"), goto("http://x/{total}")];
    expect(bound({ steps }, {}, 1, { total: "a b" }).actions[0]?.action.params).toEqual({ url: "http://x/a b" });
  });

  it("cannot be used before the step that stores them; both are named", () => {
    expect(issuesOf(() => bind({ steps: [goto("http://x/{total}"), click("a"), extract("total")] }))).toEqual([
      { path: "steps[0].params.url", message: "{total} is used in step 1, but step 3 stores it" },
    ]);
    const itself = [{ ...extract("total"), verify: { expect_text_on_page: "{total}" } }];
    expect(issuesOf(() => bind({ steps: itself }))[0]?.message).toBe("{total} is used in step 1, but only that step itself stores it");
  });

  it("need an action that has a text", () => {
    expect(issuesOf(() => bind({ steps: [{ ...click("a"), store_as: "x" }] }))[0]).toMatchObject({ path: "steps[0].store_as" });
    const sequence = { action: "sequence", store_as: "x", params: { actions: [click("a"), { action: "extract", selector: "b" }] } };
    expect(bind({ steps: [sequence, type("{x}")] }).playbook.id).toBe("a");
  });

  it("that were never found fail the step that needs them", () => {
    const ready = bind({ steps: [extract("total"), type("{total}")] });
    expect(() => bindStep(ready, 1, {})).toThrow(
      "It cannot be bound: params.text: {total} has no value: the step that stores it found no text",
    );
  });

  it("are checked for what they have to be, when they are known", () => {
    const ready = bind({ steps: [extract("u"), goto("{u}"), { action: "scroll", params: { amount: "{u}" } }, click("#{u}")] });
    expect(() => bindStep(ready, 1, { u: "javascript:alert(1)" })).toThrow("Expected an http or https URL");
    expect(() => bindStep(ready, 2, { u: "far" })).toThrow("params.amount");
    expect(bindStep(ready, 3, { u: "1 > b" }).actions[0]?.action.selector?.primary).toBe("#\\31 \\20 \\>\\20 b");
  });

  it("are never expanded again", () => {
    const ready = bind({ parameters: [{ name: "p", default: "v" }], steps: [extract("t"), type("{t}{p}")] });
    expect(bindStep(ready, 1, { t: "{p}" }).actions[0]?.action.params).toEqual({ text: "{p}v" });
  });

  it("may replace a parameter of the same name from then on", () => {
    const ready = bind({ parameters: [{ name: "t", default: "before" }], steps: [type("{t}"), extract("t"), type("{t}")] });
    expect(bindStep(ready, 0, {}).actions[0]?.action.params).toEqual({ text: "before" });
    expect(bindStep(ready, 2, { t: "after" }).actions[0]?.action.params).toEqual({ text: "after" });
  });
});

describe("credentials", () => {
  const credentialNames = ["user", "password"];

  it("become a reference, never their value", () => {
    const step = bound({ steps: [{ ...type("{credentials.password}"), selector: "#p" }] }, { credentialNames });
    expect(step.actions).toEqual([
      {
        action: { action: "key_press", selector: expect.anything(), params: { credential_ref: "password" }, timeout_ms: null },
        typed: null,
      },
    ]);
  });

  it("among other text stay named, and are composed when it is typed", () => {
    const parameters = [{ name: "domain" }];
    const steps = [type("{credentials.user}@{domain}:{credentials.password}")];
    const [action] = bound({ parameters, steps }, { params: { domain: "{credentials.password}" }, credentialNames }).actions;
    expect(action?.action.params).toEqual({ credential_ref: "user+password" });
    expect(action?.typed).toEqual([{ credential: "user" }, "@", "{credentials.password}", ":", { credential: "password" }]);
    const values: Record<string, string> = { user: "ann", password: "{domain}" };
    const typed = composeTyped(action?.typed ?? [], (name) => new SecretValue(name, values[name] as string));
    expect(typed.reveal()).toBe("ann@{credentials.password}:{domain}");
    expect(`${typed}`).toBe("[secret:user password]");
  });

  it("work in a sequence, each action by itself", () => {
    const actions = [type("{credentials.user}"), type("x{credentials.password}"), click("a")];
    const step = bound({ steps: [{ action: "sequence", params: { actions } }] }, { credentialNames });
    expect(step.actions.map(({ action, typed }) => [action.params, typed])).toEqual([
      [{ credential_ref: "user" }, null],
      [{ credential_ref: "password" }, ["x", { credential: "password" }]],
      [{ button: "left", click_count: 1 }, null],
    ]);
  });

  it.each([
    ["a selector", click("#{credentials.user}"), "steps[0].selector.primary"],
    ["an address", goto("http://x/{credentials.user}"), "steps[0].params.url"],
    ["a key", { action: "key_press", params: { key: "{credentials.user}" } }, "steps[0].params.key"],
    ["a verification", { ...click("a"), verify: { expect_text_on_page: "{credentials.user}" } }, "steps[0].verify.expect_text_on_page"],
    ["a description", { ...click("a"), description: "{credentials.user}" }, "steps[0].description"],
    ["a failure_message", { ...click("a"), failure_message: "{credentials.user}" }, "steps[0].failure_message"],
    ["a choice", { action: "select", selector: "a", params: { value: "{credentials.user}" } }, "steps[0].params.value"],
  ])("are refused in %s", (_where, step, path) => {
    expect(issuesOf(() => bind({ steps: [step] }, { credentialNames }))).toEqual([
      { path, message: "{credentials.user} may stand only in the text of a key_press" },
    ]);
  });

  it("that were not given are refused, however they are named", () => {
    expect(issuesOf(() => bind({ steps: [type("{credentials.pin}")] }, { credentialNames }))[0]?.message).toBe(
      'No credential "pin" was given',
    );
    const byRef = { action: "key_press", params: { credential_ref: "pin" } };
    expect(issuesOf(() => bind({ steps: [byRef] }, { credentialNames }))[0]).toMatchObject({ path: "steps[0].params.credential_ref" });
    const byParameter = { parameters: [{ name: "which" }], steps: [{ action: "key_press", params: { credential_ref: "{which}" } }] };
    expect(bound(byParameter, { params: { which: "user" }, credentialNames }).actions[0]?.action.params).toEqual({
      credential_ref: "user",
    });
    expect(issuesOf(() => bound(byParameter, { params: { which: "pin" }, credentialNames }))[0]?.message).toBe(
      'No credential "pin" was given',
    );
  });

  it.each(["{credentials.}", "{credentials.a.b}", "{credential.user}"])("are not meant by %s", (text) => {
    expect(issuesOf(() => bind({ steps: [type(text)] }, { credentialNames }))[0]?.message).toMatch(/is unknown/);
  });

  it("leave {credentials} free for a parameter of that name", () => {
    const source = { parameters: [{ name: "credentials", default: "x" }], steps: [type("{credentials}")] };
    expect(bound(source).actions[0]?.action.params).toEqual({ text: "x" });
  });
});

describe("inject_into", () => {
  const into = (inject_into: string, more: object = {}) => [{ name: "v", inject_into, ...more }];

  it("sets the typed value, after placeholders, and makes what is missing on the way", () => {
    const steps = [click("a"), { action: "scroll" }];
    const source = { parameters: into("steps.1.params.amount", { type: "int" }), steps };
    expect(bound(source, { params: { v: "77" } }, 1).actions[0]?.action.params).toEqual({ amount: 77, direction: "down" });
    const verify = { parameters: into("steps.0.verify.expect_text_on_page"), steps };
    expect(bound(verify, { params: { v: "{x}" } }).verify).toMatchObject({ expect_text_on_page: "{x}", timeout_ms: 5000 });
  });

  it("reaches selectors, lists and the actions of a sequence", () => {
    const steps = [
      { action: "click", selector: { primary: "a", fallbacks: ["b", "c"] } },
      { action: "sequence", params: { actions: [click("a"), type("b")] } },
    ];
    expect(bound({ parameters: into("steps.0.selector"), steps }, { params: { v: "#x" } }).actions[0]?.action.selector).toEqual({
      primary: "#x",
      fallbacks: [],
      description: null,
    });
    expect(
      bound({ parameters: into("steps.0.selector.fallbacks.1"), steps }, { params: { v: "#x" } }).actions[0]?.action.selector,
    ).toMatchObject({
      fallbacks: ["b", "#x"],
    });
    expect(
      bound({ parameters: into("steps.1.params.actions.1.params.text"), steps }, { params: { v: "x" } }, 1).actions[1]?.action.params,
    ).toEqual({
      text: "x",
    });
  });

  it("does nothing for an optional parameter without a value", () => {
    const source = { parameters: into("steps.0.params.click_count", { required: false }), steps: [click("a")] };
    expect(bound(source).actions[0]?.action.params).toEqual({ button: "left", click_count: 1 });
  });

  it("leaves the playbook as it was for the next run", () => {
    const playbook = parsePlaybook({
      id: "a",
      parameters: into("steps.0.selector.fallbacks.0"),
      steps: [{ action: "click", selector: { primary: "a", fallbacks: ["b"] } }],
    });
    const before = structuredClone(playbook);
    bindStep(bindPlaybook(playbook, { params: { v: "#x" }, credentialNames: [] }), 0, {});
    expect(playbook).toEqual(before);
  });

  it.each([
    ["a step that is not there", "steps.1.params.x", /There is no step 1/],
    ["an entry that is not there", "steps.0.selector.fallbacks.0", /not one of the 0 entries/],
    ["a word as an entry", "steps.0.selector.fallbacks.first", /not one of the 0 entries/],
    ["a field below text", "steps.0.selector.primary.x", /leads into a value that has no fields/],
    ["an unknown param", "steps.0.params.colour", /Unknown field/],
    ["a param of the wrong type", "steps.0.params.click_count", /number/],
    ["the action", "steps.0.action", /Nothing may be injected into "action"/],
    ["what happens on failure", "steps.0.on_failure", /Nothing may be injected into "on_failure"/],
    ["a store_as", "steps.0.store_as", /Nothing may be injected/],
    ["__proto__", "steps.0.params.__proto__.x", /Nothing may be injected into "__proto__"/],
    ["constructor", "steps.0.params.constructor.prototype", /Nothing may be injected/],
  ])("is refused for %s", (_what, path, message) => {
    const issues = issuesOf(() => bind({ parameters: into(path), steps: [click("a")] }, { params: { v: "x" } }));
    expect(issues.map((issue) => issue.message).join()).toMatch(message);
    expect(Object.hasOwn(Object.prototype, "x")).toBe(false);
  });

  it("never reaches an expression", () => {
    const steps = [{ action: "evaluate", params: { expression: "1" } }];
    expect(issuesOf(() => bind({ parameters: into("steps.0.params.expression"), steps }, { params: { v: "x" } }))[0]?.message).toMatch(
      /expression/,
    );
  });
});
