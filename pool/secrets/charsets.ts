/** A text in the bytes of the charsets that pages are still written in. The platform only reads them: how they are written is asked of that, once. */

const ONE_BYTE = [
  "windows-1252",
  "windows-1250",
  "windows-1251",
  "windows-1253",
  "windows-1254",
  "iso-8859-2",
  "iso-8859-15",
  "koi8-r",
  "macintosh",
];
const TWO_BYTES = ["shift_jis", "euc-jp", "gbk", "big5", "euc-kr"];
/** For all of them, and for UTF-8: in what a text is read that was written in another. */
export const CHARSETS: readonly string[] = [...ONE_BYTE, ...TWO_BYTES];

/** Lead bytes, and those that may follow one. */
const [LEAD, LEADS, NEXT, NEXTS] = [0x80, 128, 0x40, 191];
const LINE_BREAK = 10;

/** By charset, by character: which of its sequences stands for it, counted from 1; 0: none. */
const tables = new Map<string, Uint16Array>();

/** Every sequence is read on a line of its own, those of one byte first. */
function tableOf(charset: string): Uint16Array {
  const known = tables.get(charset);
  if (known !== undefined) return known;
  const pairs = TWO_BYTES.includes(charset) ? LEADS * NEXTS : 0;
  const bytes = Buffer.alloc(LEADS * 2 + pairs * 3, LINE_BREAK);
  for (let i = 0; i < LEADS + pairs; i += 1) sequence(i).copy(bytes, i < LEADS ? i * 2 : LEADS * 2 + (i - LEADS) * 3);
  const read = readAs(bytes, charset);
  const table = new Uint16Array(0x10000);
  for (let i = 0, line = 1, start = 0; i < read.length; i += 1) {
    if (read.charCodeAt(i) !== LINE_BREAK) continue;
    const unit = read.charCodeAt(start);
    if (i === start + 1 && table[unit] === 0) table[unit] = line;
    start = i + 1;
    line += 1;
  }
  tables.set(charset, table);
  return table;
}

const sequence = (i: number): Buffer =>
  i < LEADS ? Buffer.of(LEAD + i) : Buffer.of(LEAD + Math.floor((i - LEADS) / NEXTS), NEXT + ((i - LEADS) % NEXTS));

function writingOf(charset: string, char: string): Buffer | null {
  const line = char.length === 1 && char !== "\ufffd" ? tableOf(charset)[char.charCodeAt(0)] : 0;
  return line ? sequence(line - 1) : null;
}

/** What the charset lacks is an entity, as browsers send it. */
function writtenIn(charset: string, text: string): Buffer {
  const bytesOf = (char: string) =>
    char < "\x80" ? Buffer.from(char) : (writingOf(charset, char) ?? Buffer.from(`&#${char.codePointAt(0)};`));
  return Buffer.concat([...text].map(bytesOf));
}

/** As a page reads bytes: what has no meaning is shown as U+FFFD. */
export const readAs = (bytes: Buffer, charset: string): string => new TextDecoder(charset, { ignoreBOM: true }).decode(bytes);

/** The text's bytes in every charset, each once. */
export function everyWriting(text: string): Buffer[] {
  const all = CHARSETS.map((charset) => writtenIn(charset, text));
  return [...new Map(all.map((bytes) => [bytes.toString("hex"), bytes])).values()];
}
