import { describe, expect, it } from "vitest";
import { parsePlaybook } from "../../pool/playbook/load.ts";
import { extractParams, matchDirective } from "../../pool/playbook/match.ts";

const tagged = (id: string, ...tags: string[]) => parsePlaybook({ id, tags, steps: [{ action: "wait_for", selector: "a" }] });
const withParameters = (...parameters: object[]) => parsePlaybook({ id: "a", parameters, steps: [{ action: "wait_for", selector: "a" }] });

describe("matching a directive", () => {
  const cancel = tagged("cancel", "cancel", "order");
  const report = tagged("report", "report");

  it("takes the playbook whose tags it holds, case ignored", () => {
    expect(matchDirective([cancel, report], "Please CANCEL my Order 12345")).toBe(cancel);
    expect(matchDirective([cancel, report], "Open the monthly rePort")).toBe(report);
  });

  it("prefers more letters of tags over more tags", () => {
    const short = tagged("a-short", "a", "b", "c");
    const long = tagged("long", "cancellation");
    expect(matchDirective([short, long], "a b c cancellation")).toBe(long);
  });

  it("takes the first by file name of equals, whatever the order it is given", () => {
    const [one, two, three] = [tagged("a", "x"), tagged("a-b", "x"), tagged("b", "x")];
    expect(matchDirective([three, one, two], "x")).toBe(two); // a-b.yaml sorts before a.yaml
  });

  it("matches nothing without a tag", () => {
    expect(matchDirective([cancel, tagged("none")], "Good morning")).toBeNull();
    expect(matchDirective([], "cancel")).toBeNull();
  });
});

describe("finding parameters in a directive", () => {
  const find = (parameter: object, directive: string) => extractParams(withParameters({ name: "it", ...parameter }), directive).it;

  it.each([
    ["group 1 of the pattern", { pattern: "order (\\w+-\\d+)" }, "Cancel Order AB-77 now", "AB-77"],
    ["the whole match without a group", { pattern: "ab-\\d+" }, "Cancel AB-77 now", "AB-77"],
    ["the pattern before the name", { pattern: "to (\\w+)" }, "it: 5, go to Rome", "Rome"],
    ["the name where the pattern finds nothing", { pattern: "to (\\w+)" }, "it: 5", "5"],
    ["nothing where group 1 took no part", { pattern: "x|(y)" }, "x", undefined],
    ["an int by its pattern", { type: "int", pattern: "no (\\d)" }, "no 5 of 1234", "5"],
    ["an int by its name", { type: "int" }, "555 and it = 42", "42"],
    ["the first number of three digits or more", { type: "int" }, "Cancel 12 of order #12345 or 678", "12345"],
    ["a number inside a word", { type: "int" }, "ORD12345", "12345"],
    ["no number of two digits", { type: "int" }, "Cancel 12", undefined],
    ["name = value", {}, "set it = Rome", "Rome"],
    ["name: value, case ignored", {}, "IT: Rome", "Rome"],
    ["a quoted value with a comma", {}, 'it: "Rome, Italy", fast', "Rome, Italy"],
    ["a value up to a comma", {}, "it: New York, by 'train'", "New York"],
    ["a name only as a whole word", {}, "kit: 5", undefined],
    ["no string without its name", {}, "order 12345", undefined],
    ["a selector_text by its pattern", { type: "selector_text", pattern: '"(.+)"' }, 'click "Save all"', "Save all"],
    ["no selector_text by its name", { type: "selector_text" }, "it: Save", undefined],
  ])("finds %s", (_what, parameter, directive, value) => {
    expect(find(parameter, directive)).toBe(value);
  });

  it("does not guess a number for what has a default or may be left out", () => {
    expect(find({ type: "int", default: 600 }, "Cancel 12345")).toBeUndefined();
    expect(find({ type: "int", required: false }, "Cancel 12345")).toBeUndefined();
  });

  it("gives one number to one parameter", () => {
    const playbook = withParameters(
      { name: "id", type: "int" },
      { name: "amount", type: "int", pattern: "\\$(\\d+)" },
      { name: "to", type: "int" },
    );
    expect(extractParams(playbook, "Move $500 from 1234 to 5678")).toEqual({ id: "1234", amount: "500", to: "5678" });
  });

  it("gives up on a pattern that backtracks for ever, and says which", () => {
    const playbook = withParameters({ name: "ok", pattern: "b" }, { name: "evil", pattern: "(a+)+$" });
    const began = performance.now();
    expect(() => extractParams(playbook, `${"a".repeat(9_999)}!`)).toThrow(
      expect.objectContaining({ code: "VALIDATION_FAILED", message: expect.stringContaining('"evil"') }),
    );
    expect(performance.now() - began).toBeLessThan(2_000);
  });

  it("has one time limit for all patterns of a playbook", () => {
    const evil = Array.from({ length: 50 }, (_, i) => ({ name: `p${i}`, pattern: "(x+x+)+y|(a|aa)+$|z" }));
    const began = performance.now();
    try {
      extractParams(withParameters(...evil), "a".repeat(35).concat("!"));
    } catch (error) {
      expect(error).toMatchObject({ code: "VALIDATION_FAILED" });
    }
    expect(performance.now() - began).toBeLessThan(2_000);
  });

  it("stays fast on long directives without a match", () => {
    const began = performance.now();
    expect(find({}, "it ".repeat(3_333))).toBeUndefined();
    expect(find({}, `it${" ".repeat(9_990)}`)).toBeUndefined();
    expect(performance.now() - began).toBeLessThan(2_000);
  });
});
