/** How a page may show a secret that it was given: as servers, browsers and scripts of many ages write it. Of its own making, as `forms.ts`. */

const TWO_BYTES = /^(shift_jis|euc-jp|gbk|big5|euc-kr)$/;

/** In bytes of a charset, found by asking the platform what each sequence means; what it lacks is written as a browser does in a form. */
function encoded(text: string, charset: string): Buffer {
  if (charset === "utf-8") return Buffer.from(text);
  if (charset.startsWith("utf-16")) {
    const bytes = Buffer.from(text, "utf16le");
    return charset === "utf-16be" ? bytes.swap16() : bytes;
  }
  const table = new Map<string, number[]>();
  const decoder = new TextDecoder(charset);
  for (let high = 0x80; high < 0x100; high += 1) {
    table.set(decoder.decode(Uint8Array.of(high)), [high]);
    if (TWO_BYTES.test(charset))
      for (let low = 0x40; low < 0x100; low += 1) {
        const char = decoder.decode(Uint8Array.of(high, low));
        if ([...char].length === 1 && !table.has(char)) table.set(char, [high, low]);
      }
  }
  return Buffer.concat(
    [...text].map((char) =>
      char < "\x80"
        ? Buffer.from(char)
        : char === "\ufffd"
          ? Buffer.alloc(0)
          : Buffer.from(table.get(char) ?? [...Buffer.from(`&#${char.codePointAt(0)};`)]),
    ),
  );
}

const CHARSETS = [
  "windows-1252",
  "iso-8859-2",
  "iso-8859-15",
  "windows-1251",
  "koi8-r",
  "macintosh",
  "shift_jis",
  "euc-jp",
  "gbk",
  "big5",
  "euc-kr",
];
const percent = (bytes: Buffer): string =>
  bytes.toString("latin1").replace(/[^\w.*-]/g, (byte) => `%${byte.charCodeAt(0).toString(16).padStart(2, "0").toUpperCase()}`);
const read = (bytes: Buffer, charset: string): string => new TextDecoder(charset).decode(bytes);
const hex = (code: number, width = 1): string => code.toString(16).padStart(width, "0");
const each = (text: string, those: RegExp, write: (code: number) => string): string =>
  [...text].map((char) => (those.test(char) ? write(char.codePointAt(0) as number) : char)).join("");
const OTHER = /[^\x20-\x7e]/;
const ODD = /[^\x20-\x7e]|["'&<>+=/`@;-]/;
const NAMES: Record<string, string> = {
  "&": "amp",
  "<": "lt",
  ">": "gt",
  '"': "quot",
  ä: "auml",
  ö: "ouml",
  ü: "uuml",
  ß: "szlig",
  é: "eacute",
  "€": "euro",
};
const named = (text: string): string => [...text].map((char) => (NAMES[char] ? `&${NAMES[char]};` : char)).join("");
const misread = (text: string): [string, string][] =>
  CHARSETS.flatMap((charset): [string, string][] => [
    [`UTF-8 read as ${charset}`, read(Buffer.from(text), charset)],
    [`${charset} read as UTF-8`, read(encoded(text, charset), "utf-8")],
    [`${charset} read as windows-1252`, read(encoded(text, charset), "windows-1252")],
  ]);

export function echoesOf(text: string): Record<string, string> {
  const utf16 = encoded(text, "utf-16le");
  return Object.fromEntries([
    ...CHARSETS.flatMap((charset): [string, string][] => {
      const bytes = encoded(text, charset);
      return [
        [`part of a URL in ${charset}`, percent(bytes)],
        [`a field of a form in ${charset}`, percent(bytes).replaceAll("%20", "+")],
        [`${charset} in base64`, bytes.toString("base64")],
        [`${charset} in hex`, bytes.toString("hex")],
        [`${charset} byte by byte`, bytes.toString("latin1")],
        [`${charset} quoted-printable`, each(bytes.toString("latin1"), /[^\x20-\x7e]|=/, (code) => `=${hex(code, 2).toUpperCase()}`)],
      ];
    }),
    ...misread(text),
    ["UTF-8 read as windows-1252, twice", read(Buffer.from(read(Buffer.from(text), "windows-1252")), "windows-1252")],
    ["quoted-printable", each(Buffer.from(text).toString("latin1"), /[^\x20-\x7e]|=/, (code) => `=${hex(code, 2).toUpperCase()}`)],
    ["bytes of a Python string", each(Buffer.from(text).toString("latin1"), OTHER, (code) => `\\x${hex(code, 2)}`)],
    ["octal bytes", each(Buffer.from(text).toString("latin1"), OTHER, (code) => `\\${code.toString(8).padStart(3, "0")}`)],
    ["octal characters", each(text, /[\x80-\u01ff]/, (code) => `\\${code.toString(8).padStart(3, "0")}`)],
    ["\\x escapes", each(text, ODD, (code) => (code < 256 ? `\\x${hex(code, 2)}` : `\\u${hex(code, 4)}`))],
    ["\\u escapes", each(text, ODD, (code) => `\\u${hex(code, 4).toUpperCase()}`)],
    ["\\u{} escapes", each(text, OTHER, (code) => `\\u{${hex(code)}}`)],
    ["CSS escapes", each(text, /[^\w]/, (code) => `\\${hex(code)} `)],
    ["CSS escapes of six digits", each(text, /[^\w]/, (code) => `\\${hex(code, 6)}`)],
    ["escape()", escape(text)],
    ["named entities", named(text)],
    ["PHP's entities", named(text).replaceAll("'", "&#039;")],
    ["hexadecimal entities of what is not ASCII", each(text, ODD, (code) => `&#x${hex(code).toUpperCase()};`)],
    ["decimal entities of what is odd", each(text, ODD, (code) => `&#${code};`)],
    ["decimal entities with zeros", each(text, ODD, (code) => `&#${String(code).padStart(4, "0")};`)],
    ["a Mustache template", each(text, /[&<>"'/=`]/, (code) => `&#x${hex(code).toUpperCase()};`)],
    ["entities in a URL", encodeURIComponent(each(text, ODD, (code) => `&#${code};`))],
    ["escapes in JSON in JSON", JSON.stringify(each(text, ODD, (code) => `\\u${hex(code, 4)}`)).slice(1, -1)],
    ["URL twice", encodeURIComponent(encodeURIComponent(text))],
    ["URL three times", encodeURIComponent(encodeURIComponent(encodeURIComponent(text)))],
    ["UTF-16 in base64", utf16.toString("base64")],
    ["UTF-16BE in base64", encoded(text, "utf-16be").toString("base64")],
    ["UTF-16 in hex", utf16.toString("hex")],
    ["UTF-16 read as bytes", utf16.toString("latin1")],
    ["UTF-16 in a URL", percent(utf16)],
    ["an array of hexadecimal numbers", [...Buffer.from(text)].map((byte) => `0x${hex(byte, 2)}`).join(", ")],
    ["base64url", Buffer.from(text).toString("base64url")],
    [
      "hex with colons",
      Buffer.from(text)
        .toString("hex")
        .replace(/..(?!$)/g, "$&:"),
    ],
    ["ROT13", text.replace(/[a-z]/gi, (char) => String.fromCharCode(char.charCodeAt(0) + (/[a-m]/i.test(char) ? 13 : -13)))],
    ["reversed", [...text].toReversed().join("")],
    ["NFD", text.normalize("NFD")],
    ["without accents", text.normalize("NFD").replace(/\p{M}/gu, "")],
    ["full-width", each(text, /[!-~]/, (code) => String.fromCharCode(code + 0xfee0))],
    ["zero-width joined", [...text].join("\u200b")],
    ["word joiners and marks of direction", [...text].join("\u2060\u200e")],
    ["soft hyphens", [...text].join("\u00ad")],
    ["combining graphemes", [...text].join("\u034f")],
    ["invisible tags and variation selectors", [...text].join("\ufe0f\u{e0020}")],
    ["invisible math and fillers", [...text].join("\u2063\u3164\u180e")],
    ["capitals", text.toUpperCase()],
    ["small letters", text.toLowerCase()],
    ["capitalised words", text.toLowerCase().replace(/(?<!\p{L})\p{L}/gu, (char) => char.toUpperCase())],
    ["changing case", [...text].map((char, i) => (i % 2 ? char.toUpperCase() : char.toLowerCase())).join("")],
    ["a host's name", URL.parse(`http://${text}.example`)?.hostname.replace(".example", "") ?? text],
  ]);
}
