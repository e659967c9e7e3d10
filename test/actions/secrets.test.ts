import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { coverSecrets } from "../../pool/actions/cover-secrets.ts";
import { linkOf } from "../../pool/actions/page-link.ts";
import { takeScreenshot } from "../../pool/actions/screenshot.ts";
import { Redactor } from "../../pool/secrets/redactor.ts";
import { SecretValue } from "../../shared/secret-value.ts";
import { type Bench, type Harness, openHarness } from "./harness.ts";

let harness: Harness;
beforeAll(async () => {
  harness = await openHarness();
});
afterAll(() => harness?.[Symbol.asyncDispose]());

const typing = (value: string, origins: string[] | null = null) => ({
  credential: (name: string) => new SecretValue(name, value, origins),
});

describe("typing a credential", () => {
  const FIELDS = ["text", "password", "search", "email", "tel", "url", "number"];

  it.each(FIELDS)("fills an input of type %s, with the events of typing", async (type) => {
    await using bench = await harness.open(
      `<input id=a type=${type} value=1><script>events = []; for (const n of ['beforeinput','input','change']) a.addEventListener(n, (e) => events.push(n + e.isTrusted))</script>`,
    );
    await bench.act("key_press", { selector: "#a", credential_ref: "s" }, typing("8842"));
    expect(await bench.read("[a.value, events.splice(0).join()]")).toEqual(["8842", "beforeinputtrue,inputtrue,changefalse"]);
    await bench.act("key_press", { selector: "#a", credential_ref: "s" }, typing("9942", [harness.site.url]));
    expect(await bench.read("[a.value, events.join()]")).toEqual(["9942", "inputtrue,changefalse"]); // a script's own typing announces nothing before
  });

  it("fills what else takes text", async () => {
    await using bench = await harness.open("<textarea id=a>x</textarea><div id=b contenteditable>old</div><input id=c type=date>");
    await bench.act("key_press", { selector: "#a", credential_ref: "s" }, typing("in the area"));
    await bench.act("key_press", { selector: "#b", credential_ref: "s" }, typing("in the text"));
    await bench.act("key_press", { selector: "#c", credential_ref: "s" }, typing("2026-01-31"));
    expect(await bench.read("[a.value, b.textContent, c.value]")).toEqual(["in the area", "in the text", "2026-01-31"]);
  });

  it("goes on where the focus is, key by key", async () => {
    await using bench = await harness.open(`<input maxlength=1 autofocus><input maxlength=1><script>
      for (const e of document.querySelectorAll('input')) e.oninput = () => e.nextElementSibling?.focus()</script>`);
    await bench.act("click", { selector: "input" });
    await bench.act("key_press", { credential_ref: "s" }, typing("42", [harness.site.url]));
    expect(await bench.read("[...document.querySelectorAll('input')].map((e) => e.value)")).toEqual(["4", "2"]);
  });

  const refusal = { code: "GUARDRAIL_BLOCKED", details: { rule: "credential_origin", kind: "block" } };
  const frameOf = (url: string, more = "") => `<input id=mine><iframe src="${url}/frame" ${more}></iframe>`;

  it("is refused on another origin, in a frame of one, and in a frame of its own within another", async () => {
    const { url, otherUrl } = harness.site;
    await using bench = await harness.open(frameOf(otherUrl), { "/frame": "<input id=theirs autofocus>" });
    const type = (selector: string | undefined, origins: string[]) =>
      bench.act("key_press", { ...(selector ? { selector } : {}), credential_ref: "s" }, typing("s3cret-Passw0rd", origins));
    await expect(type("#mine", [otherUrl])).rejects.toMatchObject(refusal);
    await expect(type("#theirs", [url])).rejects.toMatchObject(refusal);
    await expect(type("#theirs", [otherUrl])).rejects.toMatchObject(refusal);
    await bench.act("click", { selector: "#theirs" });
    await expect(type(undefined, [url])).rejects.toMatchObject(refusal);
    expect(await bench.read("mine.value")).toBe("");
    const frame = bench.page.frames()[1];
    expect(await frame?.evaluate("theirs.value")).toBe("");
    await type("#theirs", [url, otherUrl]);
    expect(await frame?.evaluate("theirs.value")).toBe("s3cret-Passw0rd");
  });

  it("is refused in a sandboxed frame, which has no origin", async () => {
    const { url } = harness.site;
    await using bench = await harness.open(frameOf(url, "sandbox=allow-scripts"), { "/frame": "<input id=theirs>" });
    await expect(
      bench.act("key_press", { selector: "#theirs", credential_ref: "s" }, typing("s3cret-Passw0rd", [url])),
    ).rejects.toMatchObject(refusal);
  });

  it("goes into the field even when a frame of another origin takes the focus", async () => {
    const { otherUrl, url } = harness.site;
    await using bench = await harness.open(
      `<input id=mine onfocus="setTimeout(() => frames[0].postMessage('now', '*'))">${frameOf(otherUrl).replace("id=mine", "")}`,
      {
        "/frame": "<input id=theirs><script>onmessage = () => theirs.focus(); setInterval(() => theirs.focus(), 1)</script>",
      },
    );
    await bench.act("key_press", { selector: "#mine", credential_ref: "s" }, typing("s3cret-Passw0rd", [url]));
    expect(await bench.read("mine.value")).toBe("s3cret-Passw0rd");
    expect(await bench.page.frames()[1]?.evaluate("theirs.value")).toBe("");
  });

  it("tells of text that is typed into a password field, and of no other", async () => {
    await using bench = await harness.open("<input id=a type=password><input id=b autocomplete=one-time-code><input id=c>");
    const learned: string[] = [];
    const learn = (text: string) => void learned.push(text);
    for (const selector of ["#a", "#b", "#c"]) await bench.act("key_press", { selector, text: `typed-${selector}` }, { learn });
    expect(learned).toEqual(["typed-#a", "typed-#b"]);
  });
});

describe("a picture", () => {
  const PAGE = `<style>body { font: 20px monospace } input, textarea, select { font: inherit } input { color: red !important; transition: all 1s } .grand { background: linear-gradient(red, blue);
      -webkit-background-clip: text; -webkit-text-fill-color: transparent; text-shadow: 1px 1px green, 40px 9px red }</style>
    <input id=user><input id=plain style="appearance: none; background: none; border: 0"><input id=hard style="background: yellow !important; filter: none !important">
    <input id=pw type=password><textarea id=area></textarea><div contenteditable id=edit>x</div><p id=echo></p><p id=split></p><p class=grand id=grand></p>
    <p id=shadow></p><select id=choice><option></option></select><input type=button id=button><p>Other text stays</p><iframe src=/frame></iframe>`;
  const echo = (secret: string) => `(() => {
    const [a, b] = [${JSON.stringify(secret.slice(0, 4))}, ${JSON.stringify(secret.slice(4))}];
    echo.textContent = 'It is ' + a + b + ', he said'; split.innerHTML = 'or ' + a + '<b>' + b + '</b>!'; grand.textContent = a + b;
    (shadow.shadowRoot ?? shadow.attachShadow({ mode: 'open' })).innerHTML = '<i>' + a + b + '</i>';
    choice.options[0].text = a + b; button.value = a + b; plain.value = a + b; hard.value = a + b;
    frames[0].document.body.innerHTML = '<p style="font-family: monospace">' + a + b + '</p>';
    document.activeElement.blur();
  })()`;

  async function pictures(bench: Bench, secret: string, covered = true) {
    const { signal } = bench.stop;
    for (const selector of ["#user", "#pw", "#area", "#edit"])
      await bench.act("key_press", { selector, credential_ref: "s" }, typing(secret));
    await bench.read(echo(secret));
    const secrets = covered ? new Redactor([new SecretValue("s", secret)]) : undefined;
    const shots = [];
    for (const format of ["png", "jpeg"] as const)
      shots.push(await takeScreenshot(bench.page, { signal, format, ...(secrets ? { secrets } : {}) }));
    return shots.map((bytes) => createHash("sha256").update(bytes).digest("hex"));
  }

  it("is the same to the byte for two secrets of one length, and shows what is not secret", async () => {
    await using bench = await harness.open(PAGE, { "/frame": "<body></body>" });
    const bare = await pictures(bench, "Zebra-42-Quagga", false);
    const first = await pictures(bench, "Zebra-42-Quagga");
    const second = await pictures(bench, "kR8#mwQ!vL2_pXt");
    expect(second).toEqual(first);
    expect(bare).not.toEqual(first);
    const changed = await (async () => {
      await bench.read("document.querySelector('body > p:last-of-type').textContent = 'Other text moves'");
      return pictures(bench, "kR8#mwQ!vL2_pXt");
    })();
    expect(changed).not.toEqual(second);
  });

  it("disturbs nothing: no change of the document, of its layout or its styles, and nothing stays", async () => {
    await using bench = await harness.open(PAGE, { "/frame": "<body></body>" });
    await pictures(bench, "Zebra-42-Quagga");
    await bench.read(`{ changes = []; new MutationObserver((list) => changes.push(...list)).observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
      for (const n of ['transitionrun', 'animationstart', 'focusin', 'scroll', 'resize', 'layoutshift']) addEventListener(n, (e) => changes.push(e.type), true); }`);
    const state =
      "JSON.stringify([document.adoptedStyleSheets.length, CSS.highlights.size, document.getAnimations().length, document.documentElement.outerHTML, user.value])";
    const before = await bench.read(state);
    await takeScreenshot(bench.page, { signal: bench.stop.signal, secrets: new Redactor([new SecretValue("s", "Zebra-42-Quagga")]) });
    expect(await bench.read(state)).toBe(before);
    expect(await bench.read("new Promise((done) => requestAnimationFrame(() => setTimeout(() => done(changes.map(String)))))")).toEqual([]);
  });

  it.each([1, 2])("shows no secret that the page writes anew as it is drawn, %i frames after the typing", async (frames) => {
    const ahead = `${"requestAnimationFrame(() => ".repeat(frames)}paint()${")".repeat(frames)}`;
    await using bench = await harness.open(`<style>p { font: 40px monospace }</style><input id=user><p id=echo></p><script>
      paint = () => { echo.textContent = user.value }; user.oninput = () => ${ahead}</script>`);
    const { signal } = bench.stop;
    const seen = new Set<string>();
    for (const secret of Array.from("12345678", (digit) => `Zebra-${digit}2-Quagga`)) {
      await bench.read("echo.textContent = ''"); // else the words of before would be searched for the secret of now
      await bench.act("key_press", { selector: "#user", credential_ref: "s" }, typing(secret));
      await bench.tabs.settled(signal, "picture");
      const shot = await takeScreenshot(bench.page, { signal, format: "png", secrets: new Redactor([new SecretValue("s", secret)]) });
      seen.add(createHash("sha256").update(shot).digest("hex"));
    }
    expect(seen.size).toBeLessThanOrEqual(2); // without it, or with a black bar: the same whatever the secret
  });

  it.each(["width: 1px; white-space: nowrap", "display: contents"])("is blank where a page keeps writing a secret: %s", async (style) => {
    await using bench = await harness.open(`<div style="font: 40px monospace"><p id=echo style="${style}">Zebra-42-Quagga 1</p></div>`);
    const { signal } = bench.stop;
    const secrets = new Redactor([new SecretValue("s", "Zebra-42-Quagga")]);
    await using cover = await coverSecrets(await linkOf(bench.page), secrets, signal, { boxes: true });
    const shoot = async () =>
      createHash("sha256")
        .update(await takeScreenshot(bench.page, { signal, format: "png" }))
        .digest("hex");
    const first = await shoot();
    await bench.read("echo.textContent = 'Zebra-42-Quagga, and more of it'");
    expect([await shoot(), await cover.isTorn()]).toEqual([first, false]);
    await bench.read("document.body.append(' Zebra-42-Quagga')");
    expect(await cover.isTorn()).toBe(true);
  });

  it("is not taken of a page that hangs while the run has secrets", async () => {
    await using bench = await harness.open("<p>Zebra-42-Quagga</p>");
    bench.read("(() => { const end = Date.now() + 4000; while (Date.now() < end); })()").catch(() => {}); // its page closes
    const secrets = new Redactor([new SecretValue("s", "Zebra-42-Quagga")]);
    await expect(takeScreenshot(bench.page, { signal: bench.stop.signal, secrets, limitMs: 1_500 })).rejects.toThrow(
      "Cannot take a screenshot",
    );
  });
});
