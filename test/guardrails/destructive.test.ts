import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ClickTarget } from "../../pool/actions/attempt.ts";
import { conceptOf, normal } from "../../pool/guardrails/concepts.ts";
import { type AskModel, judgeClick, judgeTarget } from "../../pool/guardrails/destructive.ts";
import { DESTRUCTIVE, HARMLESS } from "../../pool/guardrails/destructive-words.ts";
import { ANY_CHARACTER, WEB_URL } from "../support/arbitraries.ts";
import { rounds } from "../support/rounds.ts";

const button = (name: string, more: Partial<ClickTarget> = {}): ClickTarget => ({
  name,
  text: name,
  role: "button",
  href: null,
  form: null,
  submits: false,
  dialog: "",
  ...more,
});
const link = (name: string, href: string) => button(name, { role: "link", href });
const CANCELS = { action: "https://x.test/orders/12345/cancel", method: "post" };
const POST = { action: "https://shop.test/profile", method: "post" };

describe("judgeTarget", () => {
  it.each<[string, ClickTarget]>([
    ["its name", button("Delete account")],
    ["its name, in any dress", button("ＤＥＬＥＴＥ\u200b  account")],
    ["its text, where the name says something else", button("Next", { text: "Delete" })],
    ["its name, where the text says something else", button("Remove card", { text: "×" })],
    ["where its form leads", button("Submit", { submits: true, form: { action: "https://x.test/account/delete", method: "post" } })],
    [
      "where its form leads, in one word",
      button("Save", { submits: true, form: { action: "https://x.test/deleteUser.do", method: "post" } }),
    ],
    ["where its form leads, though its name declines", button("Cancel", { submits: true, form: CANCELS })],
    ["where its form leads, though its name turns back", button("No", { submits: true, form: CANCELS })],
    [
      "where its form leads, though its name turns back",
      button("Close", { submits: true, form: { action: "https://x.test/account/delete", method: "post" } }),
    ],
    ["the dialog that its form stands in", button("Cancel", { submits: true, form: POST, dialog: "Delete account? Cancel" })],
    ["where its link leads", link("Cancel", "https://x.test/orders/12345/cancel")],
    ["where its link leads", link("Go on", "https://x.test/cancelOrder.do?id=5")],
    ["where its link leads", link("Yes", "https://x.test/items/5?action=delete")],
    ["the dialog around it", button("OK", { dialog: "Delete account? This cannot be undone. Cancel OK" })],
    ["a harmless word beside it", button("View and delete")],
    ["other languages", button("Konto löschen")],
    ["other languages", button("Supprimer le compte")],
    ["other languages", button("Zahlungspflichtig bestellen", { text: "Jetzt bestellen" })],
    ["other languages", button("Comprar ahora")],
    ["other languages", button("Удалить аккаунт")],
    ["other languages", button("アカウントを削除する")],
    ["other languages", button("立即付款")],
    ["other languages", button("계정 삭제")],
  ])("blocks what is destructive by %s", (_, target) => {
    expect(judgeTarget(target)).toMatchObject({ judgement: "block" });
  });

  it.each<[string, ClickTarget]>([
    ["a harmless name", button("Next page")],
    ["a harmless name, in a form that posts", button("Log in", { submits: true, form: POST })],
    ["a link", link("Payments overview", "https://x.test/overview")],
    ["a tab, a radio button, an option", button("Expenses", { role: "tab" })],
    ["a form that only asks", button("Show flights", { submits: true, form: { action: "https://x.test/flights", method: "get" } })],
    ["a no to what a dialog asks", button("Cancel", { dialog: "Delete account? Cancel OK" })],
    [
      "a no that closes its dialog by a form",
      button("Cancel", {
        submits: true,
        dialog: "Delete account? Cancel OK",
        form: { action: "https://x.test/account/delete", method: "dialog" },
      }),
    ],
    ["a no that sends nothing of its form", button("Close", { form: CANCELS })],
    ["a page about cancelling", link("Help", "https://x.test/how-to-cancel")],
    ["words that only contain one", link("Deleterious effects of buyers' remorse", "https://x.test/paywall-essay")],
  ])("allows %s", (_, target) => {
    expect(judgeTarget(target)).toMatchObject({ judgement: "allow" });
  });

  it.each<[string, ClickTarget]>([
    ["a name that may mean anything", button("Continue", { submits: true, form: POST })],
    ["no name at all", button("")],
    ["a no outside of any dialog: it may be the deed", button("Cancel")],
    ["a no that sends a form", button("Cancel", { submits: true, form: POST })],
    ["letters of two scripts", button("D\u0435lete")],
    ["a link that runs a script", link("Go on", "javascript:go()")],
  ])("is not sure of %s", (_, target) => {
    expect(judgeTarget(target)).toMatchObject({ judgement: "ask" });
  });

  it("holds no word that is both, and never throws", () => {
    for (const words of Object.values(DESTRUCTIVE)) for (const word of words) expect(conceptOf(word), word).not.toBeNull();
    for (const word of HARMLESS) expect(conceptOf(word), word).toBeNull();
    const text = fc.string({ unit: "grapheme", maxLength: 60 });
    fc.assert(
      fc.property(text, text, text, (name, href, dialog) => {
        judgeTarget(button(name, { href, dialog, submits: true, form: { action: href, method: "post" } }));
      }),
    );
  });

  it("reads an address that a browser has written out as its parser would", () => {
    const part = fc.constantFrom("delete", "Account", "/orders/5", "/cancel", "?action=", "?", "&", "#", "x", "_", "closeAccount", "/");
    const address = fc.tuple(WEB_URL, fc.array(part, { maxLength: 5 }));
    fc.assert(
      fc.property(address, ([url, parts]) => {
        const { href } = new URL(`${url}${parts.join("")}`);
        const parsed = href.replace("//", "//somebody@"); // is not read as it is written
        expect(judgeTarget(link("Go", href)), href).toEqual(judgeTarget(link("Go", parsed)));
      }),
      rounds(40),
    );
  });
});

describe("judgeClick", () => {
  const context = { origin: "agent", url: "https://x.test/", intent: "", signal: new AbortController().signal } as const;
  const on = { enable_llm_action_check: true };
  const saying =
    (answer: unknown): AskModel =>
    async () =>
      answer as "allow";

  it("grants what its author wrote, and counts it where it is destructive", async () => {
    const author = { ...context, origin: "author" } as const;
    expect(await judgeClick(button("Delete account"), author, { guardrails: on })).toMatchObject({
      kind: "allow",
      rule: "destructive_action",
    });
    expect(await judgeClick(button("Hm"), author, { guardrails: on })).toBeNull();
  });

  it("blocks what nobody asked for, whatever a model would say", async () => {
    for (const origin of ["agent", "recovery"] as const) {
      const verdict = await judgeClick(button("Delete account"), { ...context, origin }, { guardrails: on, askModel: saying("allow") });
      expect(verdict).toMatchObject({ kind: "block", rule: "destructive_action" });
    }
  });

  it("lets the model say whether what was asked for is meant", async () => {
    const asked = { ...context, intent: "Cancel order 12345" };
    const click = button("Cancel this order");
    expect(await judgeClick(click, asked, { guardrails: on, askModel: saying("allow") })).toMatchObject({ kind: "allow" });
    expect(await judgeClick(click, asked, { guardrails: on, askModel: saying("block") })).toMatchObject({ kind: "block" });
    expect(await judgeClick(button("Delete account"), asked, { guardrails: on, askModel: saying("allow") })).toMatchObject({
      kind: "block",
    });
  });

  it("knows what cancels as asked for, in whatever words", async () => {
    const asked = { ...context, intent: "Please cancel what Bob ordered" };
    const click = button("Cancel", { submits: true, form: CANCELS });
    expect(await judgeClick(click, asked, { guardrails: on, askModel: saying("allow") })).toMatchObject({ kind: "allow" });
    expect(await judgeClick(click, context, { guardrails: on, askModel: saying("allow") })).toMatchObject({ kind: "block" });
  });

  it("takes no verdict for a no", async () => {
    const ask = (askModel?: AskModel) => judgeClick(button("Continue"), context, { guardrails: on, askModel });
    expect(await ask()).toMatchObject({ kind: "block" });
    expect(await ask(async () => Promise.reject(new Error("away")))).toMatchObject({ kind: "block" });
    expect(await ask(saying("sure, go on"))).toMatchObject({ kind: "block" });
    expect(await ask(saying("allow"))).toMatchObject({ kind: "allow" });
    expect(await judgeClick(button("Continue"), context, { guardrails: { enable_llm_action_check: false } })).toMatchObject({
      kind: "allow",
    });
    expect(await judgeClick(button("Next"), context, { guardrails: on })).toBeNull();
  });

  it("ends with the run while the model thinks", async () => {
    const stop = new AbortController();
    const asking = judgeClick(
      button("Continue"),
      { ...context, signal: stop.signal },
      {
        guardrails: on,
        askModel: async (_, signal) => {
          stop.abort(new Error("stopped"));
          return signal.throwIfAborted() as never;
        },
      },
    );
    await expect(asking).rejects.toThrow("stopped");
  });
});

describe("a text's normal spelling", () => {
  /** As the Unicode standard has it, a text as a whole. */
  const bySteps = (text: string) =>
    text
      .normalize("NFKD")
      .replace(/[\p{M}\p{Cf}]/gu, "")
      .toLowerCase()
      .replace(/[ßłø]/g, (letter) => ({ ß: "ss", ł: "l" })[letter] ?? "o")
      .replace(/[\s_]+/g, " ")
      .normalize("NFC")
      .trim();

  it("is the same, unit by unit, for every unit there is", () => {
    const wrong: string[] = [];
    for (let unit = 0; unit < 0x10000; unit += 1) {
      const sign = String.fromCharCode(unit);
      for (const text of [sign, `A${sign} _b`, `ö${sign}`]) if (normal(text) !== bySteps(text)) wrong.push(unit.toString(16));
    }
    expect(wrong).toEqual([]);
  });

  it("is the same for any text", () => {
    const texts = fc.oneof(
      fc.string({ unit: "grapheme" }),
      fc.string({ unit: ANY_CHARACTER }),
      fc.string({
        unit: fc.constantFrom("Σ", "ς", "ß", "ﬁ", "e\u0301", "한", "\u1112", "\u1161", "_", "\u00a0", "x", "\u{1f130}"),
        maxLength: 40,
      }),
      fc.string({ minLength: 4_090, maxLength: 4_100 }),
    );
    fc.assert(
      fc.property(texts, (text) => normal(text) === bySteps(text)),
      rounds(40),
    );
  });
});
