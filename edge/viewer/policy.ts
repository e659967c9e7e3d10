/** What browsers may do with the viewer's own files. */

/** Recorded pages are shown in the viewer's frames: none of them may load, run or send anything by this origin's leave. */
const filePolicy = (scripts: string): string =>
  `default-src 'none'; script-src ${scripts}; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; ` +
  "connect-src 'self' blob: data:; frame-src 'self' data:; worker-src 'self'; manifest-src 'self'; " +
  "base-uri 'none'; form-action 'none'; frame-ancestors 'self'";

/** The headers of one of its files. A script that stands in a document of its own is allowed by its very text, in that document alone. */
export async function fileHead(type: string, bytes: Uint8Array): Promise<Record<string, string>> {
  const inline = type.startsWith("text/html") ? await inlineScripts(new TextDecoder().decode(bytes)) : [];
  return {
    "Content-Security-Policy": filePolicy(["'self'", ...inline.map((hash) => `'${hash}'`)].join(" ")),
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
  };
}

/** The hashes of its scripts without `src`. Browsers read line ends as `\n` before they hash. */
async function inlineScripts(html: string): Promise<string[]> {
  const found = html.replace(/\r\n?/g, "\n").matchAll(/<script(?![^>]*\ssrc\s*=)[^>]*>([\s\S]*?)<\/script\s*>/gi);
  return await Promise.all(Array.from(found, ([, text]) => hashOf(text ?? "")));
}

/** As a policy names a script or a style, without the quotes. */
export async function hashOf(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return `sha256-${btoa(String.fromCharCode(...new Uint8Array(digest)))}`;
}
