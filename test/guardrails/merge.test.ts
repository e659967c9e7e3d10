import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DEFAULT_BLOCKED, DEFAULT_GUARDRAILS, inFull } from "../../pool/guardrails/defaults.ts";
import { covers, createHostMatcher, intersectRules, parseHostRule, simplifyRules } from "../../pool/guardrails/domains.ts";
import { type GuardrailLayers, mergeGuardrails } from "../../pool/guardrails/merge.ts";
import { createPolicy } from "../../pool/guardrails/policy.ts";
import { type Guardrails, type GuardrailsInput, GuardrailsSchema } from "../../shared/guardrails.ts";

describe("mergeGuardrails", () => {
  it("gives the defaults where nobody set anything, and they are sound", () => {
    expect(mergeGuardrails({})).toEqual(DEFAULT_GUARDRAILS);
    expect(mergeGuardrails({ operator: {}, playbook: {}, request: { allowed_domains: null } })).toEqual(DEFAULT_GUARDRAILS);
    expect(GuardrailsSchema.parse(DEFAULT_GUARDRAILS)).toEqual(DEFAULT_GUARDRAILS);
    expect(inFull(DEFAULT_GUARDRAILS).blocked_domains.map(parseHostRule)).toEqual(DEFAULT_BLOCKED);
  });

  it("shows the default list by its name, also where somebody adds to it, and every host of it is blocked", () => {
    const merged = mergeGuardrails({ operator: { blocked_domains: ["@default", "shop.test"] }, request: { blocked_domains: ["b.test"] } });
    expect(merged.blocked_domains).toEqual(["@default", "shop.test", "b.test"]);
    const policy = createPolicy(merged, { privateNetworks: [] });
    const rules = DEFAULT_BLOCKED.map((rule) => `https://${rule.replace("*", "x")}/`);
    for (const url of ["https://shop.test/", "https://b.test/", ...rules])
      expect([url, policy.judgeShown(url)?.rule]).toEqual([url, "blocked_domains"]);
    expect(policy.judgeShown("https://chase.com/")?.reason).toContain("default blocked_domains");
    expect(policy.judgeShown("https://other.test/")).toBeNull();
    expect(mergeGuardrails({ request: { blocked_domains: ["b.test"] } }).blocked_domains).toEqual(["b.test"]);
  });

  it("takes the narrowest goal that a layer sets", () => {
    const goal = (...goals: GuardrailsInput["goal_type"][]) =>
      mergeGuardrails({ operator: { goal_type: goals[0] }, playbook: { goal_type: goals[1] }, request: { goal_type: goals[2] } }).goal_type;
    expect([goal(null, undefined, null), goal("fill_form", null, "read"), goal("navigate", "interact", "read")]).toEqual([
      null,
      "read",
      "navigate",
    ]);
  });

  it("lets somebody set more than a default", () => {
    expect(mergeGuardrails({ request: { max_urls_visited: 500, allow_private_networks: true } })).toMatchObject({
      max_urls_visited: 500,
      allow_private_networks: true,
    });
  });

  it("takes the smaller of two limits, whoever set it", () => {
    const merged = mergeGuardrails({
      operator: { max_urls_visited: 10 },
      playbook: { max_urls_visited: 100, max_consecutive_errors: 2 },
      request: { max_consecutive_errors: 9 },
    });
    expect(merged).toMatchObject({ max_urls_visited: 10, max_consecutive_errors: 2 });
  });

  it("takes the longer window and the longer cycles: they see more", () => {
    expect(
      mergeGuardrails({
        operator: { stuck_window_size: 40, stuck_cycle_max_length: 4 },
        request: { stuck_window_size: 12, stuck_cycle_max_length: 2 },
      }),
    ).toMatchObject({
      stuck_window_size: 40,
      stuck_cycle_max_length: 4,
    });
  });

  it("intersects allow lists, where a narrower rule inside a broader one survives", () => {
    const merge = (operator: string[], request: string[]) =>
      mergeGuardrails({ operator: { allowed_domains: operator }, request: { allowed_domains: request } }).allowed_domains;
    expect(merge(["*.corp.test"], ["a.corp.test", "corp.test", "evil.test"])).toEqual(["a.corp.test"]);
    expect(merge(["a.corp.test"], ["*.corp.test"])).toEqual(["a.corp.test"]);
    expect(merge(["*.corp.test"], ["*.eu.corp.test", "x.test"])).toEqual(["*.eu.corp.test"]);
    expect(merge(["*.corp.test", "x.test"], ["*.corp.test", "x.test"])).toEqual(["*.corp.test", "x.test"]);
    expect(merge(["a.test"], ["b.test"])).toEqual([]);
    expect(merge(["*.a.test"], ["a.test"])).toEqual([]);
    expect(merge([], ["b.test"])).toEqual([]);
    expect(merge(["notcorp.test"], ["*.corp.test"])).toEqual([]);
  });

  it("unites block lists, and drops the default one as soon as somebody sets one", () => {
    expect(
      mergeGuardrails({ operator: { blocked_domains: ["a.test"] }, request: { blocked_domains: ["b.test", "A.TEST."] } }).blocked_domains,
    ).toEqual(["a.test", "b.test"]);
    expect(mergeGuardrails({ request: { blocked_domains: [] } }).blocked_domains).toEqual([]);
  });

  it("makes an allow list its layer's only host rule: defaults and its own block list go, other layers' block lists stay", () => {
    expect(mergeGuardrails({ request: { allowed_domains: ["www.facebook.com"] } })).toMatchObject({ blocked_domains: [] });
    expect(mergeGuardrails({ request: { allowed_domains: ["a.test"], blocked_domains: ["a.test"] } })).toMatchObject({
      allowed_domains: ["a.test"],
      blocked_domains: [],
    });
    expect(mergeGuardrails({ operator: { blocked_domains: ["a.test"] }, request: { allowed_domains: ["a.test"] } })).toMatchObject({
      allowed_domains: ["a.test"],
      blocked_domains: ["a.test"],
    });
  });

  it("allows private networks only if every layer that says something says yes, and checks actions if one says so", () => {
    expect(mergeGuardrails({ operator: { allow_private_networks: true } }).allow_private_networks).toBe(true);
    expect(
      mergeGuardrails({ operator: { allow_private_networks: false }, request: { allow_private_networks: true } }).allow_private_networks,
    ).toBe(false);
    expect(mergeGuardrails({ request: { enable_llm_action_check: false } }).enable_llm_action_check).toBe(false);
    expect(
      mergeGuardrails({ playbook: { enable_llm_action_check: true }, request: { enable_llm_action_check: false } }).enable_llm_action_check,
    ).toBe(true);
  });

  it("writes hosts in their one spelling", () => {
    expect(mergeGuardrails({ request: { allowed_domains: ["0x7f.1", "[0:0::1]", "A.Test.", "*.B.Test"] } }).allowed_domains).toEqual([
      "127.0.0.1",
      "[::1]",
      "a.test",
      "*.b.test",
    ]);
  });

  it.each<[string, GuardrailLayers, string]>([
    ["a hint that comes after the warning", { request: { stuck_repeat_hint: 6 } }, "guardrails.stuck_repeat_hint"],
    ["a hint with the warning", { request: { stuck_repeat_hint: 5 } }, "guardrails.stuck_repeat_hint"],
    ["a warning that comes after the stop", { playbook: { stuck_repeat_warn: 9 } }, "guardrails.stuck_repeat_warn"],
    ["a window shorter than the repetitions to count", { request: { stuck_repeat_stop: 13 } }, "guardrails.stuck_repeat_stop"],
    ["a window shorter than the cycles to see", { request: { stuck_cycle_max_length: 5 } }, "guardrails.stuck_window_size"],
    [
      "more failures than their window holds",
      { request: { stuck_failure_cluster_threshold: 6 } },
      "guardrails.stuck_failure_cluster_threshold",
    ],
    ["a host that cannot exist", { request: { blocked_domains: ["a.test", "256.0.0.1"] } }, "guardrails.blocked_domains[1]"],
    ["a wildcard over an address", { operator: { allowed_domains: ["*.1.2.3.4"] } }, "operator.guardrails.allowed_domains[0]"],
  ])("refuses %s", (_, layers, path) => {
    expect(() => mergeGuardrails(layers)).toThrow(
      expect.objectContaining({ code: "VALIDATION_FAILED", details: { issues: [expect.objectContaining({ path })] } }),
    );
  });
});

// A world small enough that every host in it can be asked about.
const labels = ["a", "b", "c"];
const WORLD = ["test", ...labels.flatMap((x) => [`${x}.test`, ...labels.flatMap((y) => [`${y}.${x}.test`, `b.${y}.${x}.test`])])];
const ruleArb = fc.tuple(fc.boolean(), fc.constantFrom(...WORLD)).map(([wild, host]) => (wild ? `*.${host}` : host));
const rulesArb = fc.array(ruleArb, { maxLength: 6 });
const sound = (layers: GuardrailLayers) => {
  try {
    mergeGuardrails(layers);
    return true;
  } catch {
    return false;
  }
};
const layerArb: fc.Arbitrary<GuardrailsInput> = fc
  .record(
    {
      allowed_domains: fc.option(rulesArb),
      blocked_domains: rulesArb,
      max_urls_visited: fc.integer({ min: 1, max: 500 }),
      max_consecutive_errors: fc.integer({ min: 1, max: 50 }),
      allow_private_networks: fc.boolean(),
      enable_llm_action_check: fc.boolean(),
      stuck_window_size: fc.integer({ min: 12, max: 50 }),
      stuck_repeat_hint: fc.integer({ min: 2, max: 4 }),
      stuck_repeat_stop: fc.integer({ min: 6, max: 12 }),
      stuck_cycle_max_length: fc.integer({ min: 2, max: 10 }),
      stuck_cycle_repeats: fc.integer({ min: 2, max: 4 }),
      stuck_revisit_gap: fc.integer({ min: 1, max: 50 }),
    },
    { requiredKeys: [] },
  )
  .filter((request) => sound({ request }));

const reachable = (guardrails: Guardrails) => {
  const policy = createPolicy(guardrails, { privateNetworks: [], resolve: async () => ["8.8.8.8"] });
  return WORLD.filter((host) => host !== "test" && policy.judgeShown(`http://${host}/`) === null);
};

describe("merging, whatever the layers", () => {
  it("never loosens: what one layer refuses stays refused, and no limit it set grows", () => {
    fc.assert(
      fc.property(layerArb, layerArb, layerArb, (operator, playbook, request) => {
        const layers = { operator, playbook, request };
        fc.pre(sound(layers));
        const merged = mergeGuardrails(layers);
        const reached = reachable(merged);
        for (const layer of Object.values(layers)) {
          if (layer.allowed_domains || layer.blocked_domains) {
            const alone = new Set(reachable(mergeGuardrails({ request: { blocked_domains: [], ...layer } })));
            for (const host of reached) expect(alone).toContain(host);
          }
          for (const key of [
            "max_urls_visited",
            "max_consecutive_errors",
            "stuck_repeat_hint",
            "stuck_repeat_stop",
            "stuck_cycle_repeats",
            "stuck_revisit_gap",
          ] as const) {
            expect(merged[key]).toBeLessThanOrEqual(layer[key] ?? Number.POSITIVE_INFINITY);
          }
          for (const key of ["stuck_window_size", "stuck_cycle_max_length"] as const)
            expect(merged[key]).toBeGreaterThanOrEqual(layer[key] ?? 0);
          if (layer.allow_private_networks === false) expect(merged.allow_private_networks).toBe(false);
          if (layer.enable_llm_action_check === true) expect(merged.enable_llm_action_check).toBe(true);
        }
      }),
      { numRuns: 300 },
    );
  });

  it("does not depend on who is who", () => {
    fc.assert(
      fc.property(layerArb, layerArb, (a, b) => {
        fc.pre(sound({ operator: a, request: b }));
        const sorted = (guardrails: Guardrails) => ({
          ...guardrails,
          allowed_domains: guardrails.allowed_domains && [...guardrails.allowed_domains].sort(),
          blocked_domains: [...guardrails.blocked_domains].sort(),
        });
        expect(sorted(mergeGuardrails({ operator: a, request: b }))).toEqual(sorted(mergeGuardrails({ operator: b, request: a })));
      }),
      { numRuns: 200 },
    );
  });
});

describe("host rules", () => {
  it("match exactly, or subdomains only", () => {
    const matches = createHostMatcher(["a.test", "*.b.test"]);
    expect(["a.test", "x.b.test", "x.y.b.test"].every(matches)).toBe(true);
    expect(["x.a.test", "b.test", "xb.test", "test", ""].some(matches)).toBe(false);
  });

  it("intersect to what both lists match", () => {
    fc.assert(
      fc.property(rulesArb, rulesArb, (a, b) => {
        const [inA, inB, inBoth] = [createHostMatcher(a), createHostMatcher(b), createHostMatcher(intersectRules(a, b))];
        for (const host of WORLD) expect(inBoth(host)).toBe(inA(host) && inB(host));
      }),
    );
  });

  it("simplify without a change of meaning", () => {
    fc.assert(
      fc.property(rulesArb, (rules) => {
        const simple = simplifyRules(rules);
        const [before, after] = [createHostMatcher(rules), createHostMatcher(simple)];
        for (const host of WORLD) expect(after(host)).toBe(before(host));
        expect(simple.some((x) => simple.some((y) => x !== y && covers(x, y)))).toBe(false);
      }),
    );
  });

  it("have one spelling, and keep it", () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 30 }), (text) => {
        const rule = parseHostRule(text);
        if (rule !== null) expect(parseHostRule(rule)).toBe(rule);
      }),
    );
  });
});
