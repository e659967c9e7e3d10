/** The page around the viewer, and what browsers may do with it. */
import { hashOf } from "./policy.ts";
import { openStage } from "./stage.ts";
import { watch } from "./watch.ts";

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
