/** Names of keys as authors write them → puppeteer's. */
import type { KeyInput } from "puppeteer-core";
import { ActionError } from "./action-error.ts";

const MODIFIERS: Record<string, KeyInput> = {
  control: "Control",
  ctrl: "Control",
  controlormeta: "Control",
  shift: "Shift",
  alt: "Alt",
  option: "Alt",
  meta: "Meta",
  command: "Meta",
  cmd: "Meta",
};
const ALIASES: Record<string, KeyInput> = {
  esc: "Escape",
  return: "Enter",
  space: "Space",
  spacebar: "Space",
  del: "Delete",
  ins: "Insert",
  up: "ArrowUp",
  down: "ArrowDown",
  left: "ArrowLeft",
  right: "ArrowRight",
  pgup: "PageUp",
  pgdn: "PageDown",
};
const NAMED =
  /^(Enter|Tab|Escape|Backspace|Delete|Insert|Home|End|PageUp|PageDown|Arrow(Up|Down|Left|Right)|Space|F([1-9]|1\d|2[0-4])|ContextMenu|CapsLock|NumLock|ScrollLock|Pause|PrintScreen|Help|Control(Left|Right)?|Shift(Left|Right)?|Alt(Left|Right)?|Meta(Left|Right)?|Key[A-Z]|Digit\d|Numpad(\d|Enter|Add|Subtract|Multiply|Divide|Decimal))$/;

/** `Enter`, `a`, `Control+Shift+K`, `Control++`. @throws ActionError naming the key */
export function parseKeys(text: string): { modifiers: KeyInput[]; key: KeyInput } {
  const parts = text === "+" ? ["+"] : text.endsWith("++") ? [...text.slice(0, -2).split("+"), "+"] : text.split("+");
  const last = parts.pop() ?? "";
  const modifiers = parts.map((part) => {
    const modifier = MODIFIERS[part.trim().toLowerCase()];
    if (!modifier) throw new ActionError(`Cannot press "${text}": "${part}" is not a modifier (Control, Shift, Alt, Meta)`);
    return modifier;
  });
  return { modifiers, key: parseKey(last === " " ? last : last.trim(), modifiers, text) };
}

function parseKey(name: string, modifiers: KeyInput[], text: string): KeyInput {
  if ([...name].length === 1) {
    // With Control held, "A" is the key A, not a capital letter.
    const plain = modifiers.length > 0 && !modifiers.includes("Shift") ? name.toLowerCase() : name;
    if (/^[\x20-\x7e]$/.test(plain)) return plain as KeyInput;
    throw new ActionError(`Cannot press "${text}": no key of a US keyboard has this character; type it as text`);
  }
  const alias = ALIASES[name.toLowerCase()] ?? MODIFIERS[name.toLowerCase()];
  const proper = alias ?? [name, name.charAt(0).toUpperCase() + name.slice(1)].find((each) => NAMED.test(each));
  const known = proper ?? NAMED_LOWER.get(name.toLowerCase());
  if (!known) throw new ActionError(`Cannot press "${text}": "${name}" is not the name of a key, such as Enter, Tab, Escape or ArrowDown`);
  return known as KeyInput;
}

const NAMED_LOWER = new Map(
  ["Backspace", "PageUp", "PageDown", "ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight", "ContextMenu", "CapsLock", "PrintScreen"].map(
    (name) => [name.toLowerCase(), name as KeyInput],
  ),
);
