/** How pages and protocols write a secret down: of its own making, so that the product's list is not tested with itself. */
import { escapeIdentifier, escapeString, escapeWords } from "../../pool/playbook/selector-escape.ts";

const entity = (text: string) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

export const FORMS: Record<string, (secret: string) => string> = {
  plain: (secret) => secret,
  capitals: (secret) => secret.toUpperCase(),
  JSON: (secret) => JSON.stringify(secret).slice(1, -1),
  "JSON in JSON": (secret) => JSON.stringify(JSON.stringify(secret)).slice(3, -3),
  "JSON of ASCII": (secret) =>
    JSON.stringify(secret)
      .slice(1, -1)
      .replace(/[^\x20-\x7e]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0").toUpperCase()}`),
  "part of a URL": (secret) => encodeURIComponent(secret),
  "part of a URL, in small letters": (secret) => encodeURIComponent(secret).replace(/%../g, (hex) => hex.toLowerCase()),
  "part of a URL twice": (secret) => encodeURIComponent(encodeURIComponent(secret)),
  "a field of a form": (secret) => new URLSearchParams({ q: secret }).toString().slice(2),
  "every byte of a URL": (secret) => Buffer.from(secret).toString("hex").replace(/../g, "%$&").toUpperCase(),
  "text of HTML": entity,
  "an attribute of HTML": (secret) => entity(secret).replaceAll('"', "&quot;"),
  "numbered entities": (secret) => [...secret].map((char) => `&#${char.codePointAt(0)};`).join(""),
  "hexadecimal entities": (secret) => [...secret].map((char) => `&#x${char.codePointAt(0)?.toString(16).toUpperCase()};`).join(""),
  hex: (secret) => Buffer.from(secret).toString("hex").toUpperCase(),
  base64: (secret) => Buffer.from(secret).toString("base64"),
  base64url: (secret) => Buffer.from(secret).toString("base64url"),
  reversed: (secret) => [...secret].reverse().join(""),
  NFD: (secret) => secret.normalize("NFD"),
  NFC: (secret) => secret.normalize("NFC"),
  "a JavaScript string": (secret) => secret.replace(/[\s\S]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`),
  "a name in a selector": escapeIdentifier,
  "a string in a selector": escapeString,
  "bare words in a selector": escapeWords,
  "character codes": (secret) => JSON.stringify(secret.split("").map((unit) => unit.charCodeAt(0))).slice(1, -1),
};
