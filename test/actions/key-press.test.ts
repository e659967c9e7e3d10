import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseKeys } from "../../pool/actions/keys.ts";
import { AppError } from "../../shared/errors.ts";
import { SecretValue } from "../../shared/secret-value.ts";
import { type Harness, openHarness } from "./harness.ts";

const RECORD = `<script>
  const events = [];
  for (const name of ['beforeinput', 'input', 'change', 'keydown', 'submit', 'blur']) document.addEventListener(name, (e) => { events.push(name + (name === 'keydown' ? ' ' + e.key : '')); if (name === 'submit') e.preventDefault() }, name === "blur");
</script>`;

describe("key_press", () => {
  let harness: Harness;
  beforeAll(async () => {
    harness = await openHarness();
  });
  afterAll(() => harness?.[Symbol.asyncDispose]());

  it("replaces what a field holds, and fires input and change, the latter not twice", async () => {
    await using bench = await harness.open(`<input id=a value="old text"><button id=b>x</button>${RECORD}`);
    await bench.act("key_press", { selector: "#a", text: "new" });
    expect(await bench.read("[a.value, events.filter((e) => e !== 'beforeinput').join()]")).toEqual(["new", "input,change"]);
    await bench.act("click", { selector: "#b" });
    expect(await bench.read("events.filter((e) => e === 'change').length")).toBe(1);
  });

  it("empties a field, fills text areas, editable elements, and the control of a label", async () => {
    await using bench = await harness.open(
      `<input id=a value="old"><textarea id=t>old</textarea><div id=d contenteditable><b>old</b> text</div><label id=l>Name <input id=n></label>`,
    );
    await bench.act("key_press", { selector: "#a", text: "" });
    await bench.act("key_press", { selector: "#t", text: "two\nlines" });
    await bench.act("key_press", { selector: "#d", text: "héllo 😀" });
    await bench.act("key_press", { selector: "#l", text: "Ada" });
    expect(await bench.read("[a.value, t.value, d.innerText, n.value]")).toEqual(["", "two\nlines", "héllo 😀", "Ada"]);
  });

  it("works with inputs that a framework controls", async () => {
    // As React does it: the instance's own `value` property notes what was set, and an input event without news is ignored.
    await using bench = await harness.open(`<input id=a><p id=p></p><script>
      const native = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value');
      let tracked = '';
      Object.defineProperty(a, 'value', { get() { return native.get.call(this) }, set(v) { tracked = v; native.set.call(this, v) } });
      a.addEventListener('input', () => { const now = native.get.call(a); if (now === tracked) return; tracked = now; p.textContent = 'state: ' + now; a.value = now.toUpperCase() });
    </script>`);
    await bench.act("key_press", { selector: "#a", text: "ada" });
    expect(await bench.read("[p.textContent, a.value]")).toEqual(["state: ada", "ADA"]);
  });

  it("fills fields of every type, each with its events", async () => {
    const values = {
      date: "2026-02-28",
      time: "13:45",
      "datetime-local": "2026-02-28T13:45",
      month: "2026-02",
      week: "2026-W05",
      color: "#ff8800",
      range: "42",
      number: "12.5",
      email: "ada@example.com",
      password: "p&ss",
      search: "x",
    };
    await using bench = await harness.open(
      Object.keys(values)
        .map((type) => `<input type=${type}>`)
        .join("") + RECORD,
    );
    for (const [type, value] of Object.entries(values)) {
      await bench.act("key_press", { selector: `[type=${type}]`, text: value });
      const got = await bench.read(
        `[document.querySelector('[type=${type}]').value, events.splice(0).filter((e) => e === 'input' || e === 'change').join()]`,
      );
      expect([type, got]).toEqual([type, [value, "input,change"]]);
    }
    await bench.act("key_press", { selector: "[type=color]", text: "#FF0000" });
    expect(await bench.read("document.querySelector('[type=color]').value")).toBe("#ff0000");
  });

  it("says which form a field wants, and never what was typed", async () => {
    await using bench = await harness.open(
      `<input id=date type=date><input id=n type=number><input id=r type=range><input id=c type=checkbox><select id=s></select><p id=p>x</p><input id=ro readonly><input id=f type=file>`,
    );
    const secret = "s3cret-31.2.2026";
    for (const [selector, why] of [
      ["#date", "it takes a value such as 2026-01-31"],
      ["#n", "the text is not a number"],
      ["#r", "it takes no such number (from 0 to 100)"],
      ["#c", "use the action click"],
      ["#s", "use the action select"],
      ["#p", "it is not a field that takes text"],
      ["#f", "it is a file field"],
      ["#ro", "#ro: it is read-only (for 0.5 s)"],
    ]) {
      const error = await bench.act("key_press", { selector, text: secret, timeout_ms: 500 }).catch((thrown: AppError) => thrown);
      expect(error).toBeInstanceOf(AppError);
      expect((error as AppError).message).toContain(why);
      expect(
        JSON.stringify([error, (error as AppError).message, (error as AppError).details, String((error as AppError).cause), bench.logs]),
      ).not.toContain(secret);
    }
  });

  it("presses a key after the text, or alone, in the field or where the focus is", async () => {
    await using bench = await harness.open(`<form><input id=a><input id=b><button>Go</button></form>${RECORD}`);
    await bench.act("key_press", { selector: "#a", text: "query", key: "Enter" });
    expect(await bench.read("events.join(' ')")).toBe("beforeinput input change keydown Enter beforeinput submit");
    await bench.act("key_press", { selector: "#b", key: "x" });
    await bench.act("key_press", { key: "Shift+y" });
    await bench.act("key_press", { text: "zZ!" });
    await bench.act("key_press", { key: "Ctrl+A" });
    await bench.act("key_press", { key: "Backspace" });
    expect(await bench.read("[a.value, b.value]")).toEqual(["query", ""]);
    await bench.act("key_press", { text: "ab" });
    await bench.act("key_press", { key: "ArrowLeft" });
    await bench.act("key_press", { text: "-" });
    expect(await bench.read("b.value")).toBe("a-b");
  });

  it("types each character as a key where no field is named, so that code fields can hand on the focus", async () => {
    await using bench = await harness.open(`<div id=code>${"<input maxlength=1>".repeat(6)}</div><script>
      const boxes = [...document.querySelectorAll('input')]; boxes[0].focus();
      for (const [i, box] of boxes.entries()) box.addEventListener('input', () => boxes[i + 1]?.focus());
    </script>`);
    await bench.act("key_press", { text: "824 51".replace(" ", "7") });
    expect(await bench.read("boxes.map((b) => b.value).join('')")).toBe("824751");
  });

  it("types a credential by its name, and tells when there is none of that name", async () => {
    await using bench = await harness.open("<input id=a type=password>");
    const credential = (name: string) => {
      if (name !== "password") throw new AppError("VALIDATION_FAILED", `There is no credential "${name}"`);
      return new SecretValue(name, "hunter2");
    };
    await bench.act("key_press", { selector: "#a", credential_ref: "password" }, { credential });
    expect(await bench.read("a.value")).toBe("hunter2");
    expect(bench.inputs).toMatchObject([{ point: { x: expect.any(Number) }, box: { width: expect.any(Number) } }]);
    expect(JSON.stringify([bench.logs, bench.inputs])).not.toContain("hunter2");
    await expect(bench.act("key_press", { selector: "#a", credential_ref: "pin" }, { credential })).rejects.toThrow(
      'There is no credential "pin"',
    );
    await expect(bench.act("key_press", { selector: "#a", credential_ref: "pin" })).rejects.toThrow('Cannot type the credential "pin"');
  });

  it("fills the field that comes in the place of one that goes away under the typing", async () => {
    await using bench = await harness.open(`<div id=root><input></div><script>
      let mounts = 0; root.addEventListener('beforeinput', () => { if (mounts++ < 2) queueMicrotask(() => root.innerHTML = '<input>') });
    </script>`);
    await bench.act("key_press", { selector: "input", text: "kept" });
    expect(await bench.read("document.querySelector('input').value")).toBe("kept");
  });

  it("sends keys again that Chrome has dropped before the page was drawn, and fails where it always does", async () => {
    await using bench = await harness.open("<script>const keys = []; onkeydown = (e) => keys.push(e.key)</script>"); // nothing to draw
    const chrome = await bench.page.createCDPSession();
    const ignore = (ignoring: boolean) => chrome.send("Input.setIgnoreInputEvents", { ignore: ignoring });
    const told: string[] = [];
    const dropping = (times: number) => ({
      observe: {
        found() {},
        input: () => ignore(true).then(() => {}),
        log: (message: string) => void (told.push(message) === times && ignore(false)),
      },
    });
    await bench.act("key_press", { key: "Enter" }, dropping(1));
    await bench.act("key_press", { text: "ab" }, dropping(3));
    expect([told.splice(0), await bench.read("keys")]).toEqual([
      Array(3).fill("Chrome has dropped the keys: they are sent again"),
      ["Enter", "a", "b"],
    ]);
    for (const given of [{ key: "Enter" }, { text: "ab" }, { text: "aé" }]) {
      const failed = bench.act("key_press", given, dropping(9));
      await expect(failed).rejects.toThrow("Cannot type: no key reached the page, which is not drawn yet: Chrome has dropped them");
      await expect(failed).rejects.toMatchObject({ dispatched: true });
    }
    await ignore(false);
    await bench.act("key_press", { key: "x" });
    expect(await bench.read("keys.join('')")).toBe("Enterabx");
  });

  it("refuses keys that no keyboard has, by name", () => {
    expect(parseKeys("Control+Shift+K")).toEqual({ modifiers: ["Control", "Shift"], key: "K" });
    expect(parseKeys("ctrl+A")).toEqual({ modifiers: ["Control"], key: "a" });
    expect(parseKeys("esc")).toEqual({ modifiers: [], key: "Escape" });
    expect(parseKeys("arrowdown")).toEqual({ modifiers: [], key: "ArrowDown" });
    expect(parseKeys("Control++")).toEqual({ modifiers: ["Control"], key: "+" });
    expect(() => parseKeys("Entre")).toThrow('"Entre" is not the name of a key');
    expect(() => parseKeys("Hyper+x")).toThrow('"Hyper" is not a modifier');
    expect(() => parseKeys("ß")).toThrow("type it as text");
  });
});
