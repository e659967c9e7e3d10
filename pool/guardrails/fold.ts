/** One spelling for what looks alike: text as a model might read it, whatever signs a page wrote it in. */

/** Signs that show nothing, or only change how others are shown: carried words past whoever looked at the page. */
const INVISIBLE = /(?![\n\t])[\p{Cc}\p{Default_Ignorable_Code_Point}\u2800\ufff9-\ufffb]/gu;

/** What is to be seen of a text: well-formed, without invisible signs, line breaks of one kind. */
export const withoutInvisible = (text: string): string =>
  PLAIN.test(text)
    ? text
    : text
        .toWellFormed()
        .replace(/\r\n?|[\u2028\u2029\u0085]/g, "\n")
        .replace(INVISIBLE, "");
const PLAIN = /^[\n\t\x20-\x7e]*$/;

/** Signs of other scripts → the Latin letter that they look like, one to one. */
const LOOKALIKES: Record<string, string> = {};
function alike(from: string, to: string): void {
  for (const [i, sign] of [...from].entries()) LOOKALIKES[sign] = to[i] as string;
}
alike("авекмнопрстухѕіїјԁԛԝһӏьгёє", "abekmhonpctyxsiijdqwhlbree");
alike("αβγδεζηικλμνορστυφχω", "abydezniklmvopotuoxw");
alike("աբգդեթլհյնոպռսվտրցփքօֆ", "wpqnetlhjuounuvsngphof");
alike("ıɑɡɪʟɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢᴀʙᴄᴅᴇꜰɢʜᴊᴋᴍłøđħŧʋɩ", "iagilnoprstuvwyzabcdefghjkmlodhtvi");
const DIGITS: Record<string, string> = { "0": "o", "1": "i", "3": "e", "4": "a", "5": "s", "7": "t", "@": "a", $: "s", "!": "i", "|": "l" };
/** Letters in boxes and circles that normalisation leaves as they are, A first. */
const ENCLOSED = [0x1f130, 0x1f150, 0x1f170, 0x1f1e6];

/** Lower case, without accents and marks; white space is one blank each. */
export function foldCase(text: string): string {
  if (PLAIN.test(text)) return text.toLowerCase().replace(/\s+/g, " ");
  return withoutInvisible(text)
    .replace(/[\u{1f130}-\u{1f1ff}]/gu, unboxed)
    .normalize("NFKD")
    .replace(/\p{M}/gu, "")
    .toLowerCase()
    .normalize("NFC")
    .replace(/\s+/g, " ");
}

function unboxed(sign: string): string {
  const code = sign.codePointAt(0) as number;
  const start = ENCLOSED.findLast((each) => code >= each && code < each + 26);
  return start === undefined ? sign : String.fromCharCode(97 + code - start);
}

/** Of folded text: letters of other scripts, and digits inside words, as the Latin letters that they stand for. */
export function foldLookalikes(folded: string): string {
  const latin = PLAIN.test(folded) ? folded : folded.replace(/[^\x20-\x7e]/gu, (sign) => LOOKALIKES[sign] ?? sign);
  return latin.replace(/[a-z0-9@$!|]+/g, (word) =>
    /[a-z]/.test(word) && /[0-9@$!|]/.test(word.replace(/(?<![!|])[!|]+$/, ""))
      ? word.replace(/[013457@$!|]/g, (sign) => DIGITS[sign] as string)
      : word,
  );
}
