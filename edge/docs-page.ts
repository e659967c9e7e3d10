/** The reference page: the OpenAPI document as HTML. No script, nothing loaded from anywhere; its style is allowed by its hash. */
import { html, raw } from "hono/html";
import type { OpenApi, Operation } from "./openapi.ts";

type Html = ReturnType<typeof html>;
type Json = Record<string, unknown>;

export async function renderDocs(document: OpenApi): Promise<{ html: string; policy: string }> {
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
  );
  const schemas = Object.entries((document.components as { schemas: Record<string, Json> }).schemas).sort(([a], [b]) => (a < b ? -1 : 1));
  const tags = document.tags.map(({ name }) => name as string);
  const page = await html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${document.info.title as string} API</title>
<style>${raw(STYLE)}</style>
</head>
<body>
<nav aria-label="Contents">
<a class="brand" href="#top">Understudy</a>
${tags.map(
  (tag) => html`<h2>${tag}</h2>
<ul>${operations.filter(({ operation }) => operation.tags.includes(tag)).map(({ path, method, operation }) => html`<li><a href="#${operation.operationId}"><b class="${method}">${method}</b> ${path}</a></li>`)}</ul>`,
)}
<h2>Schemas</h2>
<ul>${schemas.map(([name]) => html`<li><a href="#schema-${name}">${name}</a></li>`)}</ul>
</nav>
<main id="top">
<header>
<h1>${document.info.title as string} API</h1>
<p>${document.info.description as string}</p>
<p>Send your key as <code>Authorization: Bearer &lt;key&gt;</code>. Every error is <code>{"error": {"code", "message", "details"}}</code>.
The same reference for machines: <a href="openapi.json">openapi.json</a>.</p>
</header>
${tags.map(
  (tag) => html`<h2 class="tag">${tag}</h2>
${operations.filter(({ operation }) => operation.tags.includes(tag)).map(({ path, method, operation }) => section(path, method, operation))}`,
)}
<h2 class="tag">Schemas</h2>
${schemas.map(([name, schema]) => html`<section id="schema-${name}"><h3>${name}</h3><p>${text(schema.description)}</p><pre tabindex="0">${code(schema)}</pre></section>`)}
</main>
</body>
</html>
`;
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(STYLE));
  const hash = btoa(String.fromCharCode(...new Uint8Array(digest)));
  return {
    html: String(page),
    policy: `default-src 'none'; style-src 'sha256-${hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
  };
}

function section(path: string, method: string, operation: Operation): Html {
  return html`<section id="${operation.operationId}">
<h3><b class="${method}">${method}</b> <code>${path}</code></h3>
<p class="summary">${operation.summary}</p>
${operation.description.split("\n\n").map((paragraph) => html`<p>${marked(paragraph)}</p>`)}
${operation.parameters.length === 0 ? "" : html`<table><thead><tr><th>Parameter</th><th>In</th><th>Meaning</th></tr></thead><tbody>${operation.parameters.map(parameter)}</tbody></table>`}
${operation.requestBody ? html`<p>Body: ${media((operation.requestBody as { content: Json }).content)}</p>` : ""}
<table><thead><tr><th>Status</th><th>Answer</th><th>Body</th></tr></thead><tbody>
${Object.entries(operation.responses).map(
  ([status, { description, content }]) =>
    html`<tr><td><b class="s${status.charAt(0)}">${status}</b></td><td>${description.split("\n\n").map((line) => html`<div>${marked(line)}</div>`)}</td><td>${content ? media(content) : "none"}</td></tr>`,
)}
</tbody></table>
</section>`;
}

function parameter({ name, in: where, description, required, schema }: Json): Html {
  return html`<tr><td><code>${text(name)}</code>${required ? html` <small>required</small>` : ""}</td><td>${text(where)}</td><td>${text(description)} <small>${constraints(schema as Json)}</small></td></tr>`;
}

/** A JSON schema in a few words. */
function constraints(schema: Json): string {
  if (Array.isArray(schema.enum)) return schema.enum.join(", ");
  const parts = [text(schema.format ?? schema.type)];
  if (schema.minimum !== undefined || schema.maximum !== undefined) parts.push(`${text(schema.minimum)} to ${text(schema.maximum)}`);
  if (schema.maxLength !== undefined) parts.push(`at most ${text(schema.maxLength)} characters`);
  if (schema.default !== undefined) parts.push(`default ${text(schema.default)}`);
  return parts.filter(Boolean).join(", ");
}

function media(content: Json): Html {
  return html`${Object.entries(content as Record<string, { schema?: Json }>).map(([type, { schema }]) => {
    const name = typeof schema?.$ref === "string" ? schema.$ref.split("/").at(-1) : null;
    if (name) return html`<a href="#schema-${name}">${name}</a>`;
    return schema ? html`<pre tabindex="0">${code(schema)}</pre>` : html`<code>${type}</code>`;
  })}`;
}

/** JSON, with its references as links. */
function code(schema: Json): Html {
  const pieces = JSON.stringify(schema, null, 2).split(/("#\/components\/schemas\/[A-Za-z0-9]+")/);
  return html`${pieces.map((piece) => {
    const [, name] = /^"#\/components\/schemas\/([A-Za-z0-9]+)"$/.exec(piece) ?? [];
    return name ? html`<a href="#schema-${name}">"${name}"</a>` : piece;
  })}`;
}

/** Backquotes → code; everything else is text. */
function marked(line: string): Html {
  return html`${line.split("`").map((piece, i) => (i % 2 === 1 ? html`<code>${piece}</code>` : piece))}`;
}

const text = (value: unknown): string => (value === undefined || value === null ? "" : String(value));

const STYLE = `
:root { color-scheme: light dark; --ink: #1c2126; --soft: #5b6670; --line: #dfe4e8; --back: #fff; --side: #f6f8f9; --link: #0b5cad; --get: #0a6d3c; --post: #9a4d00; --delete: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e8eb; --soft: #9aa6b0; --line: #2f373e; --back: #14181b; --side: #1a1f23; --link: #7cb8f5; --get: #6ccf9a; --post: #f0b26b; --delete: #f2938c; } }
* { box-sizing: border-box; }
html { scroll-behavior: smooth; scroll-padding-top: 1rem; }
body { margin: 0; display: grid; grid-template-columns: 19rem minmax(0, 1fr); font: 15px/1.55 system-ui, sans-serif; color: var(--ink); background: var(--back); }
nav { position: sticky; top: 0; height: 100vh; overflow-y: auto; padding: 1.25rem; background: var(--side); border-right: 1px solid var(--line); font-size: 13px; }
nav h2 { margin: 1.25rem 0 .25rem; font-size: 12px; text-transform: uppercase; letter-spacing: .06em; color: var(--soft); }
nav ul { list-style: none; margin: 0; padding: 0; }
nav li a { display: block; padding: .15rem 0; overflow-wrap: anywhere; color: inherit; }
.brand { font-size: 17px; font-weight: 650; color: inherit; }
main { padding: 2rem clamp(1rem, 4vw, 4rem) 6rem; max-width: 66rem; }
h1 { margin: 0 0 .5rem; font-size: 2rem; line-height: 1.2; }
.tag { margin: 3.5rem 0 1rem; font-size: 1.35rem; border-bottom: 2px solid var(--line); padding-bottom: .35rem; }
section { padding: 1.25rem 0; border-bottom: 1px solid var(--line); }
h3 { margin: 0; font-size: 1.05rem; overflow-wrap: anywhere; }
section p { margin: .4rem 0; }
.summary { font-weight: 600; }
a { color: var(--link); text-decoration: none; }
a:hover, a:focus-visible { text-decoration: underline; }
b.GET, b.s2, b.s3 { color: var(--get); }
b.POST, b.s4 { color: var(--post); }
b.DELETE, b.s5 { color: var(--delete); }
table { width: 100%; margin: .75rem 0; border-collapse: collapse; font-size: 14px; }
th { text-align: left; font-weight: 600; color: var(--soft); }
th, td { padding: .35rem .75rem .35rem 0; border-top: 1px solid var(--line); vertical-align: top; }
td:first-child { width: 12rem; }
small { color: var(--soft); }
code, pre { font: 13px/1.5 ui-monospace, monospace; }
pre { max-height: 24rem; overflow: auto; margin: .25rem 0; padding: .75rem 1rem; background: var(--side); border: 1px solid var(--line); border-radius: 6px; }
@media (max-width: 820px) { body { display: block; } nav { position: static; height: auto; max-height: 40vh; } td:first-child { width: auto; } }
`;
