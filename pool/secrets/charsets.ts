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

/** By charset: what its sequences of bytes are read as, each between line breaks, those of one byte first. */
const readings = new Map<string, string>();
/** By charset and character. Null: the charset has it not. */
const writings = new Map<string, Buffer | null>();

/** Lead bytes, and those that may follow one. */
const [LEAD, LEADS, NEXT, NEXTS] = [0x80, 128, 0x40, 191];

function readingOf(charset: string): string {
  const known = readings.get(charset);
  if (known !== undefined) return known;
  const pairs = TWO_BYTES.includes(charset) ? LEADS * NEXTS : 0;
  const bytes = Buffer.alloc(1 + LEADS * 2 + pairs * 3, "\n");
  for (let i = 0; i < LEADS + pairs; i += 1) sequence(i).copy(bytes, i < LEADS ? 1 + i * 2 : 1 + LEADS * 2 + (i - LEADS) * 3);
  const reading = readAs(bytes, charset);
  readings.set(charset, reading);
  return reading;
}

const sequence = (i: number): Buffer =>
  i < LEADS ? Buffer.of(LEAD + i) : Buffer.of(LEAD + Math.floor((i - LEADS) / NEXTS), NEXT + ((i - LEADS) % NEXTS));

function writingOf(charset: string, char: string): Buffer | null {
  const key = `${charset} ${char}`;
  const known = writings.get(key);
  if (known !== undefined) return known;
  const reading = readingOf(charset);
  const at = reading.indexOf(`\n${char}\n`);
  let breaks = 0;
  for (let i = 0; i < at; i += 1) if (reading.charCodeAt(i) === 10) breaks += 1;
  const bytes = at < 0 ? null : sequence(breaks);
  writings.set(key, bytes);
  return bytes;
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
