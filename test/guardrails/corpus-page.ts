/** A page that tries a list of URLs, each in several ways. `/corpus` is the page, `tryAll(urls, ways)` its function; `/redirect?to=` sends on. */
import type { RequestListener } from "node:http";
import { answerVector } from "./vectors.ts";

export const WAYS = ["fetch", "redirect", "img", "iframe", "redirect-iframe", "form", "websocket", "worker", "beacon"] as const;
export type Way = (typeof WAYS)[number];

export const answerCorpus: RequestListener = (request, response) => {
  if (request.url === "/corpus") response.writeHead(200, { "Content-Type": "text/html" }).end(PAGE);
  else answerVector(request, response);
};

const PAGE = `<!doctype html><title>Corpus</title><link rel="icon" href="data:,"><body><script>
const LIMIT_MS = 4000;
const limit = () => new Promise((resolve) => setTimeout(resolve, LIMIT_MS));
const redirect = (url) => "/redirect?to=" + encodeURIComponent(url);
const quiet = (url) => fetch(url, { mode: "no-cors", signal: AbortSignal.timeout(LIMIT_MS) }).catch(() => {});
const placed = (tag, set) => {
  const element = Object.assign(document.createElement(tag), set);
  const done = new Promise((resolve) => { element.onload = element.onerror = resolve; });
  document.body.append(element);
  return Promise.race([done, limit()]).then(() => element.remove());
};
const worker = new Worker(URL.createObjectURL(new Blob(["onmessage = async ({ data, ports: [port] }) => { await fetch(data, { mode: 'no-cors' }).catch(() => {}); port.postMessage(0); }"])));
const WAYS = {
  fetch: quiet,
  redirect: (url) => quiet(redirect(url)),
  img: (url) => placed("img", { src: url }),
  iframe: (url) => placed("iframe", { src: url }),
  "redirect-iframe": (url) => placed("iframe", { src: redirect(url) }),
  form: async (url) => {
    const frame = Object.assign(document.createElement("iframe"), { name: "f" + Math.random() });
    const form = Object.assign(document.createElement("form"), { method: "post", action: url, target: frame.name });
    document.body.append(frame, form); // the empty page in it is loaded by now
    const done = new Promise((resolve) => { frame.onload = frame.onerror = resolve; });
    form.submit();
    await Promise.race([done, limit()]);
    frame.remove();
    form.remove();
  },
  websocket: (url) => Promise.race([limit(), new Promise((resolve) => {
    try {
      const socket = new WebSocket(url.trim().replace(/^http/i, "ws"));
      socket.onerror = socket.onopen = socket.onclose = resolve;
    } catch { resolve(); }
  })]),
  worker: (url) => Promise.race([limit(), new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = resolve;
    worker.postMessage(url, [port2]);
  })]),
  beacon: async (url) => void navigator.sendBeacon(url, "x"),
};
/** Some at a time, as many as a page would. */
async function tryAll(urls, ways) {
  const all = urls.flatMap((url) => ways.map((way) => ({ url, way })));
  let tried = 0;
  await Promise.all(Array.from({ length: 32 }, async () => {
    for (let each = all.pop(); each; each = all.pop()) {
      try { await WAYS[each.way](each.url); } catch {}
      tried += 1;
    }
  }));
  return tried;
}
</script>`;
