/** What a page shows of a secret, in every writing of `echoes.ts`, whole and cut. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { shownUrl } from "../../pool/actions/goto.ts";
import { parseSelector } from "../../pool/actions/selector-syntax.ts";
import { judgeTarget } from "../../pool/guardrails/destructive.ts";
import { Redactor } from "../../pool/secrets/redactor.ts";
import { SecretValue } from "../../shared/secret-value.ts";
import { echoesOf } from "./echoes.ts";

const SECRETS = [
  "s3cret-Passw0rd",
  "Zürich-Geheim-42!",
  "it's+m1=Pa/ssöwört€",
  "日本語パスワード",
  "пароль-дом",
  "ключик-abcdefgh1",
  `k'9+"=x`,
  "häß7",
  "4711-8",
  "tr0ub4",
];
/** Turned by half the alphabet, a short secret may be another word. */
const NOT_LOOKED_FOR = (secret: string, name: string) => name === "ROT13" && secret.length < 8;

const redactorOf = (secret: string) => new Redactor([new SecretValue("s", secret)]);
/** Letters and digits that stand by themselves: no marks, and no escapes of punctuation. */
const lettersLeft = (text: string): string =>
  text.replace(/\[secret:s\]|\[redacted\]|%[0-9A-F]{2}|\\[0-9a-f]{2} |\\00[0-9a-f]{4}/g, "").replace(/[^\p{L}\p{N}]|\u3164/gu, "");

describe("What a page echoes", () => {
  it.each(SECRETS)("shows nothing of %s, whole or cut", (secret) => {
    const { text } = redactorOf(secret);
    const left: string[] = [];
    for (const [name, echo] of Object.entries(echoesOf(secret))) {
      if (NOT_LOOKED_FOR(secret, name)) continue;
      const whole = lettersLeft(text(`§ ${echo} §`));
      if (whole.length > 1) left.push(`${name}: ${whole}`); // one: of base64 that holds it from an odd place on
      const cut = [...echo].slice(0, Math.floor([...echo].length * 0.7)).join("");
      const shown = lettersLeft(text(`§ ${cut}…`));
      if (lettersLeft(cut).length >= 4 && shown.length > 3) left.push(`${name}, cut: ${shown}`);
    }
    expect(left).toEqual([]);
  });

  it("is masked in part where it is cut before white space, in another case, within an escape, or split", () => {
    const { text } = redactorOf("Zürich-Geheim-42!");
    for (const cut of [
      "ZÜRICH-Geh",
      "Z%FCrich-Ge%",
      "Z%fcrich-Ge",
      "Z&uuml;rich-G&#1",
      "Z\\u00FCrich\\u00",
      "Z\ufffdrich-Ge",
      "Z ü r i c h",
      "Zürich-Ge\n",
    ])
      expect(text(`it is ${cut}…`)).toMatch(/^it is \[redacted\]\S{0,4}\s?…$/);
    expect(text("a letter from Zurich…")).toBe("a letter from Zurich…".replace("Zurich", "[redacted]"));
    for (const other of ["Zü…", "a zebra…", "Zür", "%FC…"]) expect(text(other)).toBe(other);
  });

  it("is masked in part in whatever our own words cut of it", () => {
    const { text } = redactorOf("s3cret-Passw0rd");
    const behind = (chars: number) => `${"x".repeat(chars - 9)} s3cret-Passw0rd`;
    const target = { name: behind(80), text: "", role: "button", href: null, form: null, submits: false, dialog: "" };
    const refused = (selector: string) => {
      try {
        return String(parseSelector(selector));
      } catch (error) {
        return String(error);
      }
    };
    for (const words of [
      judgeTarget(target).reason,
      judgeTarget({ ...target, name: `Delete ${behind(73)}` }).reason,
      shownUrl(`https://a.example/${behind(283).replace(" ", "/")}`),
      shownUrl(behind(200)),
      refused(`role=button ${behind(20)}`),
      refused(`role=button[name=${behind(40)}"]`).replace(/^.*?: /, ""),
    ])
      expect(text(words)).not.toMatch(/s3cret/);
  });

  it("is hidden at both ends, where these are of no ASCII", () => {
    expect(redactorOf("ключик-abcdefgh1-конец").text("x=%EA%EB%FE%F7%E8%EA-abcdefgh1-%EA%EE%ED%E5%F6&y=2")).toBe("x=[secret:s]&y=2");
    expect(redactorOf("ключик-abcdefgh1").text('"\ufffd\ufffd\ufffd-abcdefgh1"')).toBe('"[secret:s]"');
  });

  it("takes no letter that stands before it for one of its own", () => {
    expect(redactorOf("ȬGetter__o").text("Plo§ȬGetter__o§")).toBe("Plo§[secret:s]§");
  });

  it("leaves innocent text as it is, however much in it is escaped or no ASCII", () => {
    const redactors = SECRETS.map(redactorOf);
    const words = fc.array(
      fc.constantFrom(
        ..."Zürich Geheim Paß &amp; &#228; %E4 %C3%A4 \\u00e4 \\e4 =E4 パス 日本 дом ключ abcd 4711 s3 ｓ３ \u200b".split(" "),
      ),
    );
    fc.assert(
      fc.property(words, fc.string({ unit: "grapheme" }), (some, other) => {
        for (const { text } of redactors) for (const each of [some.join(" - "), other]) expect(text(each)).toBe(each);
      }),
      { numRuns: 200 },
    );
  });

  it("leaves what nobody can read: a secret that is all of it when misread is no reason to hide that", () => {
    for (const secret of ["пароль", "ключ", "κωδικός"])
      for (const text of ["\ufffd".repeat(40), `${"\ufffd".repeat(5)}…`, `a ${"\ufffd\ufffd ".repeat(9)}b`])
        expect(redactorOf(secret).text(text)).toBe(text);
  });

  it("is not looked for in a time that grows with more than the text", () => {
    const redactor = new Redactor(SECRETS.map((secret, i) => new SecretValue(`s${i}`, secret)));
    const started = process.cpuUsage();
    for (const unit of [
      "&#",
      "&amp;",
      "%25",
      "\\",
      "\\u005c",
      "=E4",
      "%u",
      "\ufffd",
      "\u200b",
      "Z%FC…",
      "abcdefgh…",
      "&#38;#38;",
      "Zürich-Geheim-42!",
      "s3cret-Passw0rd<b>&amp;",
    ])
      redactor.text(unit.repeat(60_000 / unit.length));
    expect(process.cpuUsage(started).user / 1e6).toBeLessThan(20); // seconds of CPU, and minutes were it quadratic
  });
});
