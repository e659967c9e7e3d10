/** The page around the viewer, and what browsers may do with it and with the viewer's own files. */
import { openStage } from "./stage.ts";
import { watch } from "./watch.ts";

/** For the viewer's files. Recorded pages are shown in its frames: none of them may load, run or send anything by this origin's leave. */
export const FILE_HEAD: Record<string, string> = {
  "Content-Security-Policy":
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; " +
    "connect-src 'self' blob: data:; frame-src 'self' data:; worker-src 'self'; manifest-src 'self'; " +
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'",
  "Referrer-Policy": "no-referrer",
  "Cross-Origin-Resource-Policy": "same-origin",
};

/** The page, and its headers. Its script and style are allowed by their hashes. */
export async function renderPage(): Promise<{ html: string; head: Record<string, string> }> {
  const script = `(${watch})(${openStage});`;
  const html = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Trace</title>
<style>${STYLE}</style>
</head>
<body>
<header class="live"><h1>Trace</h1><output>opening …</output></header>
<iframe title="Playwright Trace Viewer"></iframe>
<script>${script}</script>
</body>
</html>
`;
  return {
    html,
    head: {
      "Content-Type": "text/html; charset=utf-8",
      "Content-Security-Policy":
        `default-src 'none'; script-src '${await hashOf(script)}'; style-src '${await hashOf(STYLE)}'; connect-src 'self'; frame-src 'self'; ` +
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
      "Cross-Origin-Opener-Policy": "same-origin",
      "Referrer-Policy": "no-referrer",
    },
  };
}

async function hashOf(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return `sha256-${btoa(String.fromCharCode(...new Uint8Array(digest)))}`;
}

const STYLE = `
:root { color-scheme: light dark; --ink: #1c2126; --back: #f6f8f9; --line: #dfe4e8; --live: #0a6d3c; --broken: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e8eb; --back: #1a1f23; --line: #2f373e; --live: #6ccf9a; --broken: #f2938c; } }
html, body { height: 100%; margin: 0; }
body { display: flex; flex-direction: column; font: 13px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--back); }
header { display: flex; gap: 1rem; align-items: baseline; padding: .3rem .75rem; border-bottom: 1px solid var(--line); }
h1 { margin: 0; font-size: 13px; font-weight: 600; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
output::before { content: "● "; }
.live output { color: var(--live); }
.broken output { color: var(--broken); }
iframe { flex: 1; border: 0; }
`;
