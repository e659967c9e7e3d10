/** A page that tries to reach another origin in every way a page has. Served by the test's own site. */
import type { RequestListener } from "node:http";

/** What a target answers: an image, a script and a page at once is not possible, so by path. Everything may be read by anybody. */
export const answerVector: RequestListener = (request, response) => {
  const url = new URL(request.url ?? "/", "http://x");
  const to = url.searchParams.get("to");
  const html = (body: string) => response.writeHead(200, { "Content-Type": "text/html" }).end(`<!doctype html><title>x</title>${body}`);
  response.setHeader("Access-Control-Allow-Origin", "*");
  response.setHeader("Cache-Control", "no-store");
  if (url.pathname === "/redirect" && to !== null) response.writeHead(302, { Location: asHeader(to) }).end();
  else if (url.pathname === "/refresh") html(`<meta http-equiv="refresh" content="0;url=${to}">`);
  else if (url.pathname === "/location") html(`<script>location.href = ${JSON.stringify(to)}</script>`);
  else if (url.pathname === "/submit") html(`<form method="post" action="${to}"></form><script>document.forms[0].submit()</script>`);
  else if (url.pathname === "/vectors") html(page(url.searchParams.get("target") ?? ""));
  else if (url.pathname === "/sw.js")
    javascript(`addEventListener("message", async ({ data }) => { await fetch(data, { mode: "no-cors" }).catch(() => {}); });`);
  else if (url.pathname === "/worker.js") javascript(WORKER);
  else if (url.pathname === "/shared.js") javascript(SHARED_WORKER);
  else if (/script|import/.test(url.pathname)) javascript("/* */");
  else if (/style/.test(url.pathname)) response.writeHead(200, { "Content-Type": "text/css" }).end("i { color: red }");
  else html("reached");

  function javascript(text: string) {
    response.writeHead(200, { "Content-Type": "text/javascript" }).end(text);
  }
};

/** UTF-8, as browsers read it; a header holds no control characters. */
const asHeader = (url: string): string => Buffer.from(url.replace(/\p{Cc}/gu, "")).toString("latin1");

/** Vectors that must reach a target that is allowed, else the test proves nothing. */
export const MUST_REACH = [
  ...["img", "script", "style", "iframe", "object", "video", "preload", "css-import", "css-background", "svg-image", "input-image"],
  ...["fetch", "fetch-post", "fetch-keepalive", "xhr", "eventsource", "beacon", "import", "websocket"],
  ...["worker-fetch", "worker-import-script", "worker-websocket", "shared-worker-fetch", "service-worker-fetch"],
  ...[
    "redirect-img",
    "redirect-fetch",
    "redirect-iframe",
    "refresh-iframe",
    "location-iframe",
    "submit-iframe",
    "srcdoc-img",
    "blob-iframe-img",
    "popup",
  ],
];

const WORKER = `onmessage = async ({ data: target }) => {
  await fetch(target + "/worker-fetch", { mode: "no-cors" }).catch(() => {});
  try { importScripts(target + "/worker-import-script"); } catch {}
  const socket = new WebSocket(target.replace("http", "ws") + "/worker-websocket");
  socket.onerror = socket.onopen = () => postMessage("done");
};`;
const SHARED_WORKER = `onconnect = ({ ports: [port] }) => {
  port.onmessage = async ({ data: target }) => {
    await fetch(target + "/shared-worker-fetch", { mode: "no-cors" }).catch(() => {});
    port.postMessage("done");
  };
};`;

const page = (target: string) => `
<link rel="icon" href="data:,">
<body><script>
const target = ${JSON.stringify(target)};
const here = (path, name) => path + "?to=" + encodeURIComponent(target + "/" + name);
const settled = (element) => new Promise((resolve) => { element.onload = element.onerror = element.onloadeddata = resolve; });
const add = (tag, attributes, parent = document.body) => {
  const element = Object.assign(document.createElement(tag), attributes);
  const done = settled(element);
  parent.append(element);
  return done;
};
const style = (css) => add("style", { textContent: css });
const frame = (src) => add("iframe", { src });
const tries = [
  add("img", { src: target + "/img" }),
  add("script", { src: target + "/script" }),
  add("link", { rel: "stylesheet", href: target + "/style" }, document.head),
  add("link", { rel: "preload", as: "script", href: target + "/preload" }, document.head),
  add("iframe", { src: target + "/iframe" }),
  add("object", { data: target + "/object" }),
  add("video", { src: target + "/video", preload: "auto" }),
  add("input", { type: "image", src: target + "/input-image" }),
  style("@import url(" + target + "/css-import);"),
  style("b { background: url(" + target + "/css-background) }").then(() => add("b", { textContent: "b" }) && 0),
  new Promise((resolve) => {
    document.body.insertAdjacentHTML("beforeend", '<svg><image href="' + target + '/svg-image"/></svg>');
    resolve();
  }),
  fetch(target + "/fetch", { mode: "no-cors" }),
  fetch(target + "/fetch-post", { mode: "no-cors", method: "POST", body: "x" }),
  fetch(target + "/fetch-keepalive", { mode: "no-cors", keepalive: true }),
  new Promise((resolve) => {
    const request = new XMLHttpRequest();
    request.onloadend = resolve;
    request.open("GET", target + "/xhr");
    request.send();
  }),
  new Promise((resolve) => {
    const source = new EventSource(target + "/eventsource");
    source.onerror = () => resolve(source.close());
  }),
  import(target + "/import"),
  new Promise((resolve) => {
    const socket = new WebSocket(target.replace("http", "ws") + "/websocket");
    socket.onerror = socket.onopen = resolve;
  }),
  new Promise((resolve) => {
    const worker = new Worker("/worker.js");
    worker.onmessage = resolve;
    worker.postMessage(target);
  }),
  new Promise((resolve) => {
    const { port } = new SharedWorker("/shared.js");
    port.onmessage = resolve;
    port.postMessage(target);
  }),
  navigator.serviceWorker.register("/sw.js").then(async () => {
    const { active } = await navigator.serviceWorker.ready;
    active.postMessage(target + "/service-worker-fetch");
  }),
  add("img", { src: here("/redirect", "redirect-img") }),
  fetch(here("/redirect", "redirect-fetch")),
  frame(here("/redirect", "redirect-iframe")),
  frame(here("/refresh", "refresh-iframe")),
  frame(here("/location", "location-iframe")),
  frame(here("/submit", "submit-iframe")),
  add("iframe", { srcdoc: '<img src="' + target + '/srcdoc-img">' }),
  frame(URL.createObjectURL(new Blob(['<img src="' + target + '/blob-iframe-img">'], { type: "text/html" }))),
];
navigator.sendBeacon(target + "/beacon", "x");
for (const rel of ["prefetch", "preconnect", "dns-prefetch", "modulepreload", "manifest"]) add("link", { rel, href: target + "/" + rel }, document.head);
add("script", { type: "speculationrules", textContent: JSON.stringify({ prefetch: [{ urls: [target + "/speculation"] }], prerender: [{ urls: [target + "/prerender"] }] }) });
window.done = Promise.allSettled(tries).then(() => "done");
</script>`;
