/** The forms in which a page, a protocol or a log writes a text down. */

import { domainToASCII } from "node:url";
import { CHARSETS, everyWriting, readAs } from "./charsets.ts";

/** Below this a form is no longer looked for inside other text: it would be found everywhere. */
export const MIN_CHARS = 4;
/** Shortest piece of base64 or of a line that counts: shorter ones are found in innocent text. */
const MIN_PART = 6;
const MIN_LINE = 12;
/** A shorter word turned by half the alphabet may be another word. */
const MIN_ROTATED = 8;
/** Of a longer form its beginning is looked for, and then as far as it goes on. */
const MAX_COMPOSED = 2_000;

/** The secret as it is typed, each letter one character; of a key of several lines each line. */
export const wordsOf = (secret: string): Set<string> => new Set([secret, secret.normalize("NFC"), ...lines(secret)]);

/** All forms of one secret, the plain one first, each once. */
export function variantsOf(secret: string): string[] {
  const plain = new Set([secret, secret.normalize("NFC"), secret.normalize("NFD"), secret.normalize("NFKC"), ...lines(secret)]);
  const cased = isAscii(secret) ? [secret.toUpperCase()] : [secret.toUpperCase(), secret.toLowerCase()]; // pages show text in capitals
  const own = new Set([...plain, ...cased, [...secret].reverse().join(""), ...(secret.length < MIN_ROTATED ? [] : [rot13(secret)])]);
  const escaped = new Set([...plain].flatMap((text) => ESCAPES.map((write) => write(text))));
  const few = [...new Set(OUTER.map((write) => write(secret)))];
  const twice = secret.length > MAX_COMPOSED ? [] : few.flatMap((text) => OUTER.map((write) => write(text)));
  const encoded = [...new Set([...plain, json(secret), uri(secret)])].flatMap(binary);
  const old = isAscii(secret) || secret.length > MAX_COMPOSED ? [] : [...plain].flatMap(inOldCharsets);
  const all = [...new Set([...own, ...escaped, ...twice, ...encoded, ...old])];
  return all.filter((text) => text.length >= MIN_CHARS && /[^\ufffd]/.test(text)); // what nobody can read may be anything
}

export const isAscii = (text: string): boolean => /^[\0-\x7f]*$/.test(text);
const chars = (text: string, write: (code: number) => string): string => text.replace(/[\s\S]/g, (unit) => write(unit.charCodeAt(0)));
const points = (text: string, write: (point: number) => string): string =>
  [...text].map((each) => write(each.codePointAt(0) as number)).join("");
const hex = (code: number, width: number): string => code.toString(16).padStart(width, "0");

const rot13 = (text: string): string =>
  text.replace(/[a-z]/gi, (char) => String.fromCharCode(char.charCodeAt(0) + (/[a-m]/i.test(char) ? 13 : -13)));

const json = (text: string): string => JSON.stringify(text).slice(1, -1);
const jsonAscii = (text: string): string => chars(json(text), (code) => (code < 0x7f ? String.fromCharCode(code) : `\\u${hex(code, 4)}`));
/** As servers write JSON into a page: what HTML could take for its own is escaped. */
const jsonInHtml = (text: string): string =>
  json(text).replace(/[<>&'/]/g, (char) => (char === "/" ? "\\/" : `\\u${hex(char.charCodeAt(0), 4)}`));
const jsonSlash = (text: string): string => json(text).replaceAll("/", "\\/");
const allUnicode = (text: string): string => chars(text, (code) => `\\u${hex(code, 4)}`);
const allHex = (text: string): string => chars(text, (code) => (code < 256 ? `\\x${hex(code, 2)}` : `\\u${hex(code, 4)}`));

const uri = (text: string): string => encodeURIComponent(text.toWellFormed());
const uriStrict = (text: string): string => uri(text).replace(/[!'()*~]/g, (char) => `%${hex(char.charCodeAt(0), 2)}`);
const uriWhole = (text: string): string => encodeURI(text.toWellFormed());
const form = (text: string): string => new URLSearchParams([["", text]]).toString().slice(1);
const uriAll = (text: string): string => [...Buffer.from(text)].map((byte) => `%${hex(byte, 2)}`).join("");
/** A page without a charset sends its forms in latin-1, and what that lacks as an entity. */
const latin1 = (text: string): string =>
  points(text, (point) =>
    point < 0x80 ? uriStrict(String.fromCharCode(point)) : point < 0x100 ? `%${hex(point, 2)}` : `%26%23${point}%3b`,
  );
const latin1Form = (text: string): string => latin1(text).replaceAll("%20", "+");

/** As JavaScript's `escape`. */
const uriOld = (text: string): string =>
  chars(text, (code) => {
    const char = String.fromCharCode(code);
    return /[\w@*+./-]/.test(char) ? char : code < 0x100 ? `%${hex(code, 2)}` : `%u${hex(code, 4)}`;
  });
/** Bytes as URLs and forms have them, and mail. */
const byByte = (bytes: Buffer, mark: string, stays: RegExp): string =>
  bytes.toString("latin1").replace(/[\s\S]/g, (char) => (stays.test(char) ? char : `${mark}${hex(char.charCodeAt(0), 2)}`));
const quotedPrintable = (bytes: Buffer): string => byByte(bytes, "=", /[ -<>-~]/);
const octal = (text: string): string =>
  points(text, (point) => (point < 0x80 || point > 0x1ff ? String.fromCodePoint(point) : `\\${point.toString(8).padStart(3, "0")}`));

/** In selectors and style sheets: what is no letter, digit, hyphen or underscore has a backslash, or stands there by its number. */
const css =
  (byNumber: RegExp, stays = /[\w-]|[^\p{ASCII}]/u) =>
  (text: string): string =>
    points(text, (point) => {
      const char = String.fromCodePoint(point);
      return byNumber.test(char) ? `\\${point.toString(16)} ` : stays.test(char) ? char : `\\${char}`;
    });

/** Those of the characters, by their number; others stay. */
const numbered = (these: RegExp, write: (point: number) => string) => (text: string) =>
  points(text, (point) => {
    const char = String.fromCodePoint(point);
    return these.test(char) ? write(point) : char;
  });
/** What servers and templates escape though they need not. */
const ODD = /[^ -~]|["'&<>+=/`@;-]/;
/** Of HTML 4, from U+00A1 on. */
const NAMES =
  "iexcl cent pound curren yen brvbar sect uml copy ordf laquo not shy reg macr deg plusmn sup2 sup3 acute micro para middot cedil sup1 ordm raquo frac14 frac12 frac34 iquest Agrave Aacute Acirc Atilde Auml Aring AElig Ccedil Egrave Eacute Ecirc Euml Igrave Iacute Icirc Iuml ETH Ntilde Ograve Oacute Ocirc Otilde Ouml times Oslash Ugrave Uacute Ucirc Uuml Yacute THORN szlig agrave aacute acirc atilde auml aring aelig ccedil egrave eacute ecirc euml igrave iacute icirc iuml eth ntilde ograve oacute ocirc otilde ouml divide oslash ugrave uacute ucirc uuml yacute thorn yuml".split(
    " ",
  );
const nameOf = (point: number): string => {
  const name = point === 0x20ac ? "euro" : NAMES[point - 0xa1];
  return name === undefined || point < 0xa1 ? String.fromCodePoint(point) : `&${name};`;
};

const HTML: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
const html =
  (these: RegExp, own: Record<string, string> = {}) =>
  (text: string) =>
    text.replace(these, (char) => own[char] ?? HTML[char] ?? char);
const ESCAPES: ((text: string) => string)[] = [
  json,
  jsonAscii,
  jsonInHtml,
  jsonSlash,
  allUnicode,
  allHex,
  uri,
  uriStrict,
  uriWhole,
  uriAll,
  form,
  latin1,
  latin1Form,
  html(/[&<>]/g),
  html(/[&"]/g), // an attribute's value, as the browser writes it
  html(/[&<>"]/g),
  html(/[&<>"']/g),
  html(/[&<>"']/g, { "'": "&#x27;" }),
  html(/[&<>"']/g, { "'": "&apos;" }),
  html(/[&<>"']/g, { '"': "&#34;" }),
  (text) => points(text, (point) => (point < 0x80 ? (html(/[&<>"']/g)(String.fromCharCode(point)) as string) : `&#${point};`)),
  (text) => points(text, (point) => `&#${point};`),
  (text) => points(text, (point) => `&#x${point.toString(16)};`),
  (text) => chars(text, (code) => `,${code}`).slice(1), // an array of character codes
  (text) => [...Buffer.from(text)].join(","),
  css(/[\s()[\]]|\p{Cc}/u), // as our own selectors have a name
  (text) => css(/[\s()[\]]|\p{Cc}/u)(text).replace(/^-?\d/, (start) => start.replace(/\d/, (digit) => `\\3${digit} `)),
  css(/\p{Cc}/u), // as CSS.escape has it
  css(/\p{Cc}/u, /[^"'\\]/), // inside quotes
  (text) => css(/\p{Cc}/u, /[\p{L}\p{N}_ -]/u)(text.replace(/\s+/g, " ")), // bare words of role and aria
  (text) => Buffer.from(text).toString("latin1"), // UTF-8 that was read as latin-1
  (text) => numbered(/[^ -~]/, nameOf)(html(/[&<>"]/g)(text)),
  (text) => numbered(/[^ -~]/, nameOf)(html(/[&<>"']/g, { "'": "&#039;" })(text)), // PHP
  html(/[&<>"']/g, { "'": "&#039;" }),
  numbered(ODD, (point) => `&#x${point.toString(16)};`),
  numbered(ODD, (point) => `&#${point};`),
  numbered(ODD, (point) => `&#${String(point).padStart(4, "0")};`),
  numbered(/[&<>"'/=`]/, (point) => `&#x${point.toString(16)};`), // Mustache
  numbered(/[&<>"'`]/, (point) => `&#x${point.toString(16)};`),
  html(/[&<>"'+]/g, { '"': "&#34;", "+": "&#43;" }), // Go
  numbered(ODD, (point) => (point < 256 ? `\\x${hex(point, 2)}` : jsonAscii(String.fromCodePoint(point)))),
  numbered(ODD, (point) => (point < 0x7f ? `\\u${hex(point, 4)}` : jsonAscii(String.fromCodePoint(point)))),
  numbered(/[^ -~]/, (point) => `\\u{${point.toString(16)}}`),
  octal,
  (text) => octal(Buffer.from(text).toString("latin1")),
  (text) => numbered(/[^ -~]/, (point) => `\\x${hex(point, 2)}`)(Buffer.from(text).toString("latin1")), // bytes, as Python shows them
  css(/\W/),
  numbered(/\W/, (point) => `\\${hex(point, 6)}`),
  uriOld,
  (text) => quotedPrintable(Buffer.from(text)),
  (text) => [...Buffer.from(text)].map((byte) => `0x${hex(byte, 2)}`).join(","),
  (text) => Buffer.from(text, "utf16le").toString("latin1"), // UTF-16 that was read byte by byte
  (text) => text.split("").join("\0"),
  (text) => uri(uri(uri(text))),
  (text) => uri(numbered(ODD, (point) => `&#${point};`)(text)),
  (text) => byByte(Buffer.from(text, "utf16le"), "%", /[\w.*-]/),
  (text) => (isAscii(text) ? text : text.normalize("NFD").replace(/\p{M}/gu, "")), // as addresses are made of titles
  (text) => (isAscii(text) ? text : domainToASCII(text)),
];
/** A form inside a form: a URL in a URL, JSON in JSON, HTML in JSON. */
const OUTER = [json, jsonInHtml, uri, form, html(/[&<>"']/g), html(/[&"]/g)];

/** Hex, and base64 at each of three alignments. */
function binary(text: string): string[] {
  const utf16 = Buffer.from(text, "utf16le");
  const old = isAscii(text) || text.length > MAX_COMPOSED ? [] : everyWriting(text);
  return [Buffer.from(text), utf16, Buffer.from(utf16).swap16(), ...old].flatMap((each) => {
    const whole = each.toString("base64");
    const parts = [whole, ...[0, 1, 2].map((offset) => inner(each, offset))].filter((part) => part.length >= MIN_PART);
    return [each.toString("hex"), ...parts.flatMap(asBase64)];
  });
}

/** In the bytes of old charsets, and as they look when the charset is mistaken, also for that of what is UTF-8. */
function inOldCharsets(text: string): string[] {
  const written = everyWriting(text).flatMap((bytes) => [
    byByte(bytes, "%", /[\w.*-]/),
    byByte(bytes, "%", /[\w.* -]/).replaceAll(" ", "+"),
    quotedPrintable(bytes),
    bytes.toString("latin1"),
    readAs(bytes, "utf-8"),
    readAs(bytes, "windows-1252"),
  ]);
  const misread = CHARSETS.map((charset) => readAs(Buffer.from(text), charset));
  return [...written, ...misread, readAs(Buffer.from(readAs(Buffer.from(text), "windows-1252")), "windows-1252")];
}

const asBase64 = (text: string): string[] => {
  const url = text.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
  return [text, url, uri(text), text.replaceAll("/", "\\/")];
};

/** The part of the base64 text that is the same wherever the bytes stand among others. */
function inner(bytes: Buffer, offset: number): string {
  const padded = Buffer.concat([Buffer.alloc(offset), bytes]);
  const text = padded.toString("base64");
  return text.slice(offset === 0 ? 0 : offset + 1, text.length - ([0, 3, 2][padded.length % 3] as number));
}

/** Each line of a key by itself: a page may show one. */
const lines = (secret: string): string[] =>
  secret.includes("\n")
    ? secret.split(/\r?\n/).flatMap((line) => (line.trim().length >= MIN_LINE && !line.startsWith("-----") ? [line.trim()] : []))
    : [];
