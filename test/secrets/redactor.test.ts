import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { redactChunks } from "../../pool/secrets/redact-stream.ts";
import { Redactor } from "../../pool/secrets/redactor.ts";
import { SecretValue } from "../../shared/secret-value.ts";
import { WEB_URL } from "../support/arbitraries.ts";
import { rounds } from "../support/rounds.ts";
import { FORMS } from "./forms.ts";

/** `§` stands in no secret and around every form, so that what is found is the form and no accident of its neighbours. */
const secrets = fc
  .oneof(
    fc.string({ unit: "grapheme", minLength: 8, maxLength: 40 }),
    fc.string({ unit: fc.constantFrom(..."abcXYZ019 &<>\"'\\/%+=_-.;üß€你"), minLength: 8, maxLength: 30 }),
    fc.base64String({ minLength: 8, maxLength: 60 }),
  )
  .map((text) => text.toWellFormed())
  .filter((text) => !text.includes("§") && text.trim().length >= 8 && new Set(text).size > 3);
const named = (...values: string[]) => values.map((value, i) => new SecretValue(`s${i}`, value));
const redactorOf = (...values: string[]) => new Redactor(named(...values));

describe("Redactor", () => {
  it.each(Object.entries(FORMS))("leaves nothing of a secret as %s", (_name, form) => {
    fc.assert(
      fc.property(secrets, fc.string({ maxLength: 20 }), (secret, around) => {
        const written = form(secret);
        fc.pre(written.length >= 6);
        const redacted = redactorOf(secret).text(`${around}§${written}§`);
        expect(redacted).not.toContain(written);
        expect(redacted).toMatch(/§.*\[secret:s0\].*§$/s);
      }),
      rounds(10),
    );
  });

  it("finds a value inside base64, wherever it stands in the bytes", () => {
    const { text } = redactorOf("correct horse battery");
    for (const lead of ["", "a", "ab", "user:"]) {
      const redacted = text(Buffer.from(`${lead}correct horse battery!`).toString("base64"));
      expect(Buffer.from(redacted.replace("[secret:s0]", ""), "base64").toString()).not.toContain("horse");
    }
  });

  it("finds a value that a page has split by tags, comments, white space, invisible characters or punctuation", () => {
    const { text } = redactorOf("s3cret-Passw0rd");
    const spread = (between: string) => [..."s3cret-Passw0rd"].join(between);
    for (const between of ["<b>", "</span><span class='x'>", "<!-- -->", " ", "\u200b", "\u00ad", "&shy;", '","', "\\n", "\n  "]) {
      expect(text(`<p>${spread(between)}</p>`)).toBe("<p>[secret:s0]</p>");
    }
  });

  it("finds a value across text nodes, and leaves in each what is not of it", () => {
    expect(redactorOf("s3cret-Passw0rd").pieces(["it is s3c", "ret-", "Passw0rd!", " Really."])).toEqual([
      "it is [secret:s0]",
      "[secret:s0]",
      "[secret:s0]!",
      " Really.",
    ]);
  });

  it("finds the beginning of a value before the mark of a cut", () => {
    const { text } = redactorOf("s3cret-Passw0rd");
    expect(text("it is s3cret-Pa…")).toBe("it is [redacted]…");
    expect(text("a secret…")).toBe("a secret…");
  });

  it("looks for values of up to three characters only where one is all of a field", () => {
    const { text, deep } = { text: redactorOf("42").text, deep: (value: unknown) => redactorOf("42").deep(value) };
    expect(text("42")).toBe("[secret:s0]");
    expect(text("order 42 of 420")).toBe("order 42 of 420");
    expect(text("https://a.example/?pin=42&n=421")).toBe("https://a.example/?pin=[secret:s0]&n=421");
    expect(deep({ pin: "42", n: 42, text: '{"pin":"42"}' })).toEqual({ pin: "[secret:s0]", n: 42, text: '{"pin":"[secret:s0]"}' });
    expect(redactorOf("80417733").deep({ pin: 80417733, n: 8041 })).toEqual({ pin: "[secret:s0]", n: 8041 });
  });

  it("leaves other text as it is", () => {
    const redactor = redactorOf("demo", "Zebra-42-Quagga", "k9#Lm2!pQx");
    fc.assert(
      fc.property(fc.lorem({ maxCount: 60 }), fc.json(), WEB_URL, (words, json, url) => {
        for (const text of [words, json, url]) {
          fc.pre(!/demo|omed/i.test(text));
          expect(redactor.text(text)).toBe(text);
        }
      }),
      rounds(20),
    );
    expect(redactor.text("Demonstration of <b>bold</b> & more")).toBe("Demonstration of <b>bold</b> & more");
  });

  it("changes nothing when it is asked twice, even where a name is like a value", () => {
    fc.assert(
      fc.property(fc.array(secrets, { minLength: 1, maxLength: 4 }), fc.string(), (values, around) => {
        const { text } = redactorOf(...values);
        const once = text(`${around}${values.join(around)}`);
        expect(text(once)).toBe(once);
      }),
      rounds(20),
    );
    const { text } = new Redactor([new SecretValue("password", "password")]);
    expect(text("the password")).toBe("the [secret]");
  });

  it("hides two values that overlap, whole", () => {
    expect(redactorOf("abcd1234", "1234wxyz").text("<abcd1234wxyz>")).toMatch(/^<\[secret:s\d\]>$/);
    expect(redactorOf("tulip", "tulip-more").text("it is tulip-more")).toBe("it is [secret:s1]");
  });

  it("learns a value while it is in use", () => {
    const redactor = new Redactor();
    expect(redactor.text("hunter22")).toBe("hunter22");
    redactor.learn(new SecretValue("typed", "hunter22"));
    expect(redactor.text("hunter22")).toBe("[secret:typed]");
  });

  it("can be extended by what only one reader of its texts must not show", () => {
    const redactor = new Redactor([new SecretValue("first", "correct-horse")]);
    const more = redactor.extended();
    more.learn(new SecretValue("own", "admin-of-it"));
    redactor.learn(new SecretValue("late", "hunter2222"));
    const text = "correct-horse, hunter2222, admin-of-it";
    expect([redactor.text(text), more.text(text)]).toEqual([
      "[secret:first], [secret:late], admin-of-it",
      "[secret:first], [secret:late], [secret:own]",
    ]);
  });

  it("gives of a stream, however it is cut, what it gives of the whole", async () => {
    await fc.assert(
      fc.asyncProperty(
        secrets,
        fc.array(fc.nat(4_000), { maxLength: 8 }),
        fc.array(fc.nat(9_000), { maxLength: 40 }),
        async (secret, gaps, cuts) => {
          const redactor = redactorOf(secret);
          const whole = gaps.map((gap) => `${"lorem ipsum §".repeat(gap / 12)}${secret}`).join("");
          const edges = [0, ...cuts.map((cut) => Math.min(cut, whole.length)).toSorted((a, b) => a - b), whole.length];
          const chunks = edges.slice(1).map((edge, i) => whole.slice(edges[i], edge));
          expect((await Array.fromAsync(redactChunks(chunks, redactor))).join("")).toBe(redactor.text(whole));
        },
      ),
      rounds(20),
    );
  });

  it("is not slowed down by a text made to slow it down", () => {
    const redactor = redactorOf(`${"a".repeat(2_000)}b`, "<<<<<<<<<<", "s3cret-Passw0rd");
    const started = process.cpuUsage();
    for (const unit of ["a", "<", "<a", "&nbsp;", "…", "%41", "s3cret-Passw0r"]) redactor.text(unit.repeat(20_000 / unit.length));
    expect(process.cpuUsage(started).user / 1e6).toBeLessThan(20); // seconds of CPU, and minutes were it quadratic
  });
});
