/** A page that shows what is typed into it in every way that a page can: echoed, split, encoded, reflected, thrown, logged, asked for. */
import type { IncomingMessage, ServerResponse } from "node:http";

const SCRIPT = `
const inputs = () => ['user', 'password', 'area', 'second', 'search'].map((id) => document.getElementById(id));
const secrets = () => { const [a, b, c, d, e] = inputs().map((each) => each.value); return [a, b, c.replace(/^token | it is$/g, ''), d, e]; };
const utf8 = (s) => new TextEncoder().encode(s);
const hex = (s) => [...utf8(s)].map((b) => b.toString(16).padStart(2, '0')).join('');
const base64 = (s) => btoa(String.fromCharCode(...utf8(s)));
const escaped = (s) => { const p = document.createElement('p'); p.textContent = s; return p.innerHTML; };
const encode = (s) => [s, s.toUpperCase(), encodeURIComponent(s), encodeURIComponent(encodeURIComponent(s)), new URLSearchParams({ q: s }) + '', JSON.stringify(s),
  JSON.stringify(JSON.stringify(s)), escaped(s), escaped(escaped(s)), hex(s), base64(s), base64('a:' + s), base64('ab:' + s), base64(s).replace(/[+]/g, '-').replace(/[/]/g, '_'),
  [...s].reverse().join(''), s.normalize('NFD'), JSON.stringify([...utf8(s)]), [...s].map((c) => '&#' + c.codePointAt(0) + ';').join(''), s.split('').join('\\u200b'), s.split('').join(' ')];
const forms = () => secrets().flatMap(encode);
const echo = async () => {
  const out = document.getElementById('out');
  for (const form of forms()) { const p = document.createElement('p'); p.textContent = 'benign words stay ' + form; p.title = form; p.dataset.value = form; out.append(p); }
  for (const s of secrets()) {
    const p = document.createElement('p');
    for (const [i, c] of [...s].entries()) { const e = document.createElement(i % 2 ? 'b' : 'i'); e.textContent = c; p.append(e); }
    out.append(p, ...['half: ', s.slice(0, 5), s.slice(5)].map((t) => document.createTextNode(t)));
    console.log(s); console.log('it is', s.slice(0, 5), s.slice(5)); console.log({ s, deep: { s } }, [s]); console.error(new Error(s)); console.warn(...encode(s));
    setTimeout(() => { throw new Error('thrown ' + s) }); Promise.reject(new Error('rejected ' + s));
    document.cookie = 'c' + hex(s).slice(0, 4) + '=' + encodeURIComponent(s); localStorage[s] = s;
    await fetch('/echo?q=' + encodeURIComponent(s), { method: 'POST', body: JSON.stringify({ s }), headers: { Authorization: 'Basic ' + base64('u:' + s) } }).then((r) => r.text());
    await fetch('/bytes?q=' + encodeURIComponent(s), { method: 'POST', body: s }).then((r) => r.arrayBuffer());
    new Image().src = '/picture/' + encodeURIComponent(s);
  }
  for (const input of inputs()) input.setAttribute('value', input.value);
  document.querySelector('#choice').append(...secrets().map((s) => new Option(s)));
  document.title = secrets().join(' | ');
  history.replaceState(null, '', '/?all=' + encodeURIComponent(secrets().join(',')) + '#' + encodeURIComponent(secrets()[1]));
  const done = document.createElement('p'); done.id = 'done'; done.textContent = 'done'; out.append(done);
};`;

const PAGE = `<!doctype html><meta charset=utf-8><title>Mirror</title><main><input id=user><input id=password type=password><input id=search type=search>
<textarea id=area></textarea><div id=edit contenteditable></div><input id=second type=password autocomplete=new-password><input id=date type=date>
<select id=choice><option>none</option></select><button id=echo onclick="echo()">Show</button><div style="position:relative"><button id=covered>x</button>
<div style="position:absolute;inset:0;background:#eee" onclick></div></div><div id=out></div></main><script>${SCRIPT}</script>`;

/** In windows-1252, without a word of what it was given but as it stands in its own address, where our words would cut it, and misread. */
const OLD_PAGE = `<!doctype html><title>Old</title><form><input name=q id=q><button id=send>Send</button></form><button id=cut></button><p id=out></p><script>
const q = location.search.slice(3);
const bytes = (s) => Uint8Array.from(s.replace(/[+]/g, ' ').replace(/%(..)/g, (_, h) => String.fromCharCode(parseInt(h, 16))), (c) => c.charCodeAt(0));
if (q) {
  const plain = new TextDecoder('windows-1252').decode(bytes(q));
  const host = plain.replace(/[^a-z0-9]+/gi, '-');
  const long = (before) => 'x'.repeat(before) + q;
  const shown = [q, new TextDecoder().decode(bytes(q)), new TextDecoder('windows-1252').decode(new TextEncoder().encode(plain)), escape(plain),
    plain.replace(/[^a-z0-9]/gi, (c) => '&#x' + c.charCodeAt(0).toString(16) + ';'), plain.replace(/[^a-z0-9]/gi, (c) => '\\\\u' + c.charCodeAt(0).toString(16).padStart(4, '0')), q.replace(/%/g, '=')];
  out.textContent = shown.join(' ; ');
  out.title = shown.join(' ; ');
  document.title = shown.join(' ; ');
  cut.textContent = ' '.repeat(188) + q;
  cut.className = long(50);
  cut.onclick = () => { alert(long(492)); console.log({ error: new Error(long(80)), words: long(95) }, shown); history.replaceState(null, '', '/' + long(280)); };
  fetch('http://' + host + '.nowhere.example/').catch(() => {});
  new Image().src = 'file:///' + long(495) + '/' + 'x'.repeat(900);
}
</script>`;

export function mirror(request: IncomingMessage, response: ServerResponse): void {
  const { pathname, search } = new URL(request.url ?? "/", "http://mirror");
  if (pathname === "/") return void response.writeHead(200, { "Content-Type": "text/html" }).end(PAGE);
  if (pathname === "/old") return void response.writeHead(200, { "Content-Type": "text/html; charset=windows-1252" }).end(OLD_PAGE);
  let body = "";
  request.setEncoding("utf8").on("data", (chunk: string) => {
    body += chunk;
  });
  request.on("end", () => {
    const noText = Buffer.concat([Buffer.from([0, 0xff, 1]), Buffer.from(body)]);
    if (pathname === "/bytes") return void response.writeHead(200, { "Content-Type": "application/octet-stream" }).end(noText);
    response
      .writeHead(pathname === "/echo" ? 200 : 404, { "Set-Cookie": `r=${search.slice(3)}` })
      .end(`${request.headers.authorization}${search}${body}`);
  });
}
