/** A text as a person reads it: without what shows nothing, and with no character wider than others. */

/** Of Unicode's default ignorables those that a page can put into a word. */
const UNSEEN =
  /\u034f|\u061c|[\u115f\u1160]|[\u17b4\u17b5]|[\u180b-\u180f]|[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufeff\uffa0]|[\ufe00-\ufe0f]|\udb40[\udc00-\udfff]/g;
const WIDE = /[\uff01-\uff5e]/;
const ANY = new RegExp(`${UNSEEN.source}|${WIDE.source}`);

/** `at[i]`: where the i-th unit stands in the text. */
export type Visible = { text: string; at: Int32Array };

/** Null: it is what is read. */
export function visibleOf(text: string): Visible | null {
  if (!ANY.test(text)) return null;
  const at = new Int32Array(text.length + 1);
  const parts: string[] = [];
  let kept = 0;
  const keep = (from: number, to: number) => {
    parts.push(text.slice(from, to));
    for (let i = from; i < to; i += 1) at[kept++] = i;
  };
  let from = 0;
  for (const { 0: unseen, index } of text.matchAll(UNSEEN)) {
    keep(from, index);
    from = index + unseen.length;
  }
  keep(from, text.length);
  const read = parts.join("").replace(/[\uff01-\uff5e]/g, (wide) => String.fromCharCode(wide.charCodeAt(0) - 0xfee0));
  return { text: read, at };
}
