/** What a text says once its encodings are undone: HTML entities, percent, escapes, base64, hex. */

const NAMED: Record<string, string> = {
  ...{ amp: "&", lt: "<", gt: ">", quot: '"', apos: "'", nbsp: " ", Tab: "\t", NewLine: "\n", excl: "!", num: "#", colon: ":", semi: ";" },
  ...{ lpar: "(", rpar: ")", lsqb: "[", rsqb: "]", lbrack: "[", rbrack: "]", lcub: "{", rcub: "}", vert: "|", bsol: "\\", sol: "/" },
  ...{ period: ".", comma: ",", lowbar: "_", hyphen: "-", shy: "", zwj: "", zwnj: "", ZeroWidthSpace: "", comat: "@", commat: "@" },
};
const MAX_CHARS = 20_000;
const LONGEST_BLOB = 8_000;

const fromCode = (code: number): string =>
  code > 0 && code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff) ? String.fromCodePoint(code) : "";

const entities = (text: string): string =>
  text.replace(/&(?:#x([0-9a-f]{1,6})|#(\d{1,7})|([a-z]{2,20}));?/gi, (all, hex?: string, decimal?: string, name?: string) =>
    hex ? fromCode(Number.parseInt(hex, 16)) : decimal ? fromCode(Number(decimal)) : (NAMED[name ?? ""] ?? all),
  );

const percent = (text: string): string =>
  text
    .replace(/(?:%[0-9a-f]{2})+/gi, (run) => printable(Buffer.from(run.replaceAll("%", ""), "hex")) ?? run)
    .replace(/(?<=\w)\+(?=\w)/g, " ");

const escapes = (text: string): string =>
  text.replace(/\\(?:u\{([0-9a-f]{1,6})\}|u([0-9a-f]{4})|x([0-9a-f]{2}))/gi, (_all, a?: string, b?: string, c?: string) =>
    fromCode(Number.parseInt(a ?? b ?? c ?? "0", 16)),
  );

/** Null: bytes that are no text. */
function printable(bytes: Buffer): string | null {
  const text = bytes.toString("utf8");
  const odd = text.replace(/[\t\n\r\x20-\x7e\u00a0-\ufffc]/g, "").length;
  return text !== "" && odd * 8 <= text.length ? text : null;
}

/** Base64 and hex, also where a page broke it up. */
function blobs(text: string): string[] {
  const found: string[] = [];
  for (const [run] of text.matchAll(/[A-Za-z0-9+/_-]{8,}={0,2}(?:\s+[A-Za-z0-9+/_-]{4,}={0,2})*/g)) {
    const parts = run.split(/\s+/);
    for (const blob of new Set([...parts, parts.join("")])) {
      if (blob.length < 16 || blob.length > LONGEST_BLOB) continue;
      const hex = /^(?:[0-9a-f]{2})+$/i.test(blob) ? printable(Buffer.from(blob, "hex")) : null;
      const base64 = printable(Buffer.from(blob, "base64"));
      found.push(...(hex ? [hex] : []), ...(base64 ? [base64] : []));
    }
  }
  return found;
}

/** Other texts that this one may stand for; what was encoded twice, too. Empty for most. */
export function decoded(text: string, depth = 2): string[] {
  const cut = text.slice(0, MAX_CHARS);
  const next = new Set(
    [
      ...(cut.includes("&") ? [entities(cut)] : []),
      ...(cut.includes("%") ? [percent(cut)] : []),
      ...(cut.includes("\\") ? [escapes(cut)] : []),
      ...blobs(cut),
    ].filter((each) => each !== cut),
  );
  return [...next].flatMap((each) => (depth > 1 ? [each, ...decoded(each, depth - 1)] : [each]));
}
