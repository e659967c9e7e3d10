import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { summarise } from "../../pool/recording/summary.ts";
import { traceCall } from "../../pool/recording/trace-calls.ts";
import { ACTION_PARAMS, type Action, type SimpleActionName } from "../../shared/action.ts";
import { ANY_CHARACTER } from "../support/arbitraries.ts";
import { click, goto, typing } from "./support.ts";

const action = (name: SimpleActionName, params: object, primary: string | null = "#a"): Action =>
  ({
    action: name,
    selector: primary === null ? null : { primary, fallbacks: [], description: null },
    params: ACTION_PARAMS[name].parse(params),
    timeout_ms: null,
  }) as Action;

describe("a summary", () => {
  it.each([
    [goto("https://user:pw@shop.test:8443/orders/7?token=abc&page=2#top"), "goto https://shop.test:8443/orders/7?token=…&page=…#…"],
    [goto("data:text/html,secret"), "goto data:…"],
    [click("text=Cancel   order"), "click 'text=Cancel order'"],
    [action("click", { click_count: 2 }), "double-click '#a'"],
    [action("click", { button: "right" }), "right-click '#a'"],
    [typing("#name", "Ada", "Enter"), "type into '#name' + press Enter"],
    [action("key_press", { text: "Ada" }, null), "type text"],
    [action("key_press", { key: "Escape" }, null), "press Escape"],
    [action("key_press", { key: "Escape" }), "press Escape in '#a'"],
    [action("key_press", { credential_ref: "pin" }), "type credential pin into '#a'"],
    [action("key_press", { credential_ref: "pin" }, null), "type credential pin"],
    [action("scroll", {}, null), "scroll down 600 px"],
    [action("wait_for", {}), "wait for '#a'"],
    [action("wait_for", { state: "hidden" }), "wait for '#a' to be hidden"],
    [action("select", { label: "Refund" }), "select 'Refund' in '#a'"],
    [action("extract", { mode: "markdown" }), "extract markdown of '#a'"],
    [action("evaluate", { expression: "document\n  .title" }, null), "evaluate 'document .title'"],
  ])("of %o is %s", (each, expected) => {
    expect(summarise(each)).toBe(expected);
  });

  it("is one line of at most 120 characters without the typed text", () => {
    const anyText = fc.string({ unit: ANY_CHARACTER, minLength: 1, maxLength: 200 });
    const key = fc.option(
      anyText.filter((text) => text.length <= 50),
      { nil: undefined },
    );
    fc.assert(
      fc.property(anyText, anyText, key, (selector, rest, pressed) => {
        const typed = `typed ${rest}`;
        for (const each of [
          typing(selector, typed, pressed),
          click(selector),
          goto(selector),
          action("evaluate", { expression: selector }, null),
        ]) {
          const summary = summarise(each);
          expect(summary.length).toBeLessThanOrEqual(120);
          expect(summary).not.toContain("typed ");
          expect(summary.isWellFormed()).toBe(true);
        }
      }),
    );
  });

  it("is masked before it is cut", () => {
    const mask = (text: string) => text.replaceAll("hunter2", "[redacted]");
    expect(summarise(click(`${"a".repeat(55)}hunter2`), mask)).not.toContain("hun");
    expect(summarise(goto("https://shop.test/hunter2?hunter2=1"), mask)).not.toContain("hunter2");
  });
});

describe("an action in the viewer's words", () => {
  it("takes a given title as it stands, also where the viewer would fill in a parameter", () => {
    const { title, params } = traceCall(click("#a"), "Click {selector}, {unknown}");
    expect(title).toBe("Click {\u2060selector}, {unknown}");
    expect(params).toMatchObject({ selector: "#a", button: "left" });
  });

  it("never has the text that was typed", () => {
    for (const each of [typing("#a", "typed in plain", "Enter"), action("key_press", { text: "typed in plain" }, null)]) {
      expect(JSON.stringify(traceCall(each, null))).not.toContain("typed in plain");
    }
  });
});
