import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ClickTarget } from "../../pool/actions/attempt.ts";
import { AppError } from "../../shared/errors.ts";
import { SecretValue } from "../../shared/secret-value.ts";
import { type Harness, openHarness } from "./harness.ts";

/** What was asked for, and a no to everything. */
function refusing() {
  const asked: ClickTarget[] = [];
  const permit = async (target: ClickTarget) => {
    asked.push(target);
    throw new AppError("GUARDRAIL_BLOCKED", "not that");
  };
  return { asked, permit };
}

describe("what a click would be done to", () => {
  let harness: Harness;
  beforeAll(async () => {
    harness = await openHarness();
  });
  afterAll(() => harness?.[Symbol.asyncDispose]());

  it("is told of the real element, whatever selector found it, and nothing is pressed when that is refused", async () => {
    await using bench =
      await harness.open(`<script>pressed = 0; addEventListener("submit", (e) => { e.preventDefault(); pressed += 1 })</script>
      <form action="/account/delete" method="post"><button id="next"><span id="harmless">&#8594;</span><b hidden>x</b></button></form>
      <div role="dialog"><p>Delete account?</p><button id="ok" type="button" onclick="pressed += 1" aria-label="Really">OK</button></div>
      <a href="/items?do=remove" id="a" onclick="pressed += 1">go <i id="inner">there</i></a>
      <form><input name="action" value="x"><input name="method"><input type="submit" id="shadowed" value="Buy now" formaction="/pay"></form>`);
    const { asked, permit } = refusing();
    for (const selector of ["#harmless", "#ok", "#inner", "#shadowed"]) {
      await expect(bench.act("click", { selector }, { permit })).rejects.toMatchObject({ code: "GUARDRAIL_BLOCKED" });
    }
    const { url } = harness.site;
    expect(asked).toMatchObject([
      { role: "button", text: "→", form: { action: `${url}/account/delete`, method: "post" }, submits: true, href: null, dialog: "" },
      { role: "button", name: "Really", text: "OK", form: null, submits: false, dialog: "Delete account? OK" },
      { role: "link", name: "go there", href: `${url}/items?do=remove` },
      { role: "button", name: "Buy now", form: { action: `${url}/pay`, method: "get" }, submits: true },
    ]);
    expect(await bench.read("pressed")).toBe(0);
  });

  it("is asked for Enter and the space bar too: of the control with the focus, or of the button that sends the form", async () => {
    await using bench =
      await harness.open(`<script>pressed = 0; addEventListener("submit", (e) => { e.preventDefault(); pressed += 1 })</script>
      <form method="post"><input id="q"><button>Delete all</button></form><textarea id="t"></textarea>
      <button id="pay" onclick="pressed += 1">Pay</button>`);
    const { asked, permit } = refusing();
    for (const given of [
      { selector: "#q", key: "Enter" },
      { selector: "#pay", key: "Space" },
      { selector: "#pay", key: "Enter" },
    ]) {
      await expect(bench.act("key_press", given, { permit })).rejects.toMatchObject({ code: "GUARDRAIL_BLOCKED" });
    }
    expect(asked.map(({ name }) => name)).toEqual(["Delete all", "Pay", "Pay"]);
    await bench.act("key_press", { selector: "#t", key: "Enter" }, { permit });
    await bench.act("key_press", { selector: "#q", text: "a b", key: "Tab" }, { permit });
    expect(await bench.read("pressed")).toBe(0);
  });

  it("is asked for a space and a line break in typed text as well, and for none of them where they are text", async () => {
    await using bench =
      await harness.open(`<script>pressed = 0; addEventListener("submit", (e) => { e.preventDefault(); pressed += 1 })</script>
      <form method="post"><input id="q"><button>Delete all</button></form><textarea id="t"></textarea><p id="e" contenteditable></p>
      <button id="pay" onclick="pressed += 1">Pay</button>`);
    const { asked, permit } = refusing();
    const credential = (name: string) => new SecretValue(name, "pass word");
    const typed = async (focus: string, given: object) => {
      await bench.read(`document.querySelector("${focus}").focus()`);
      await bench.act("key_press", { ...given }, { permit, credential });
    };
    for (const [focus, given] of [
      ["#pay", { text: "yes " }],
      ["#pay", { text: "\n" }],
      ["#q", { text: "all of it\r\n" }],
      ["#pay", { credential_ref: "pin" }],
    ] as const) {
      await expect(typed(focus, given)).rejects.toMatchObject({ code: "GUARDRAIL_BLOCKED" });
    }
    expect(asked.map(({ name }) => name)).toEqual(["Pay", "Pay", "Delete all", "Pay"]);
    for (const focus of ["#t", "#e"]) await typed(focus, { text: "a b\nc" });
    expect(await bench.read("[pressed, q.value, t.value, e.innerText.replace(/\\s+/g, ' ')]")).toEqual([0, "all of it", "a b\nc", "a b c"]);
  });

  it("stays with the author's click, and costs no further look at the page", async () => {
    await using bench = await harness.open(`<button onclick="done = 1">Delete account</button>`);
    const names: string[] = [];
    await bench.act("click", { selector: "button" }, { permit: async ({ name }) => void names.push(name) });
    expect([names, await bench.read("done")]).toEqual([["Delete account"], 1]);
  });
});
