/** Replaces credential values, plain or in a common encoding, wherever text leaves a session. */

export const REDACTED = "[redacted]";
/** Shorter values would blank innocent text all over ("1", "no"); they are masked only where they are a whole word. */
const SHORT = 4;

/** A function that masks the given values. Longer variants first, so that no tail of one is left over. */
export function createMask(secrets: readonly string[]): (text: string) => string {
  const variants = [...new Set(secrets.flatMap(encodings))].filter((each) => each !== "").sort((a, b) => b.length - a.length);
  if (variants.length === 0) return (text) => text;
  const pattern = new RegExp(
    variants
      .map((each) => (each.length < SHORT ? `(?<![\\p{L}\\p{N}])${RegExp.escape(each)}(?![\\p{L}\\p{N}])` : RegExp.escape(each)))
      .join("|"),
    "gu",
  );
  return (text) => text.replace(pattern, REDACTED);
}

function encodings(secret: string): string[] {
  const uri = encodeURIComponent(secret.toWellFormed());
  const form = new URLSearchParams([["", secret]]).toString().slice(1);
  const json = JSON.stringify(secret).slice(1, -1);
  const html = secret.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  const plain = [secret, uri, uri.replace(/%../g, (hex) => hex.toLowerCase()), form, json, html, html.replaceAll('"', "&quot;")];
  return secret.length < SHORT ? plain : [...plain, ...base64(secret)];
}

/** The part of the base64 text that is the same wherever the secret stands in the encoded bytes, for each of three alignments. */
function base64(secret: string): string[] {
  return [0, 1, 2].flatMap((offset) => {
    const bytes = Buffer.concat([Buffer.alloc(offset), Buffer.from(secret)]);
    const text = bytes.toString("base64");
    const whole = text.slice(offset === 0 ? 0 : offset + 1, text.length - (bytes.length % 3 === 0 ? 0 : bytes.length % 3 === 1 ? 3 : 2));
    return whole.length < SHORT * 2 ? [] : [whole, whole.replaceAll("+", "-").replaceAll("/", "_")];
  });
}
