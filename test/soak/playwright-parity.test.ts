/** The same selectors on the same pages, in Playwright and here. What Playwright finds is what its users expect. */
import { chromium, type Browser as PlaywrightBrowser, type Page as PlaywrightPage } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { linkOf } from "../../pool/actions/page-link.ts";
import { parseSelector } from "../../pool/actions/selector-syntax.ts";
import { type Bench, type Harness, openHarness } from "../actions/harness.ts";
import { CHROME_PATH } from "../support/chrome.ts";

const FRAGMENTS: { about: string; html: string; selectors: string[] }[] = [
  {
    about: "text: case and spaces do not matter, the smallest element wins",
    html: `<div id=a>Cancel   Order</div><div id=b><span id=c>please <b id=d>cancel&nbsp;order</b> now</span></div><p id=e>CANCEL\nORDER 7</p>`,
    selectors: [
      "text=cancel order",
      "text=Cancel Order",
      'text="Cancel Order"',
      "text='cancel order'",
      "text=/cancel.order/i",
      "text=/^CANCEL\\sORDER/",
      "text=order now",
    ],
  },
  {
    about: "text: exact means one run of an element's own text",
    html: `<p id=a>Save<br>all</p><p id=b>Save <b id=c>all</b></p><button id=d> Save </button><label id=e>Save <input id=f></label>`,
    selectors: ['text="Save"', 'text="all"', "text=save", 'text="Save all"', "text=save all"],
  },
  {
    about: "text: buttons made of inputs, no scripts, no head",
    html: `<title>Submit it</title><input id=a type=submit value="Submit it"><input id=b type=button value=submit><input id=c type=text value=submit><input id=d type=reset value=submit><script>/* submit */</script><style>/* submit */</style><noscript>submit</noscript>`,
    selectors: ["text=submit", 'text="submit"'],
  },
  {
    about: "text: hidden elements match as well",
    html: `<p id=a hidden>Order 1</p><p id=b style="visibility:hidden">Order 2</p><p id=c>Order 3</p><p id=d style="opacity:0">Order 4</p>`,
    selectors: ["text=order", "text=order 1", ":text('order')", "p:visible", "p:has-text('order'):visible"],
  },
  {
    about: "text in open shadow roots, and slotted text",
    html: `<div id=host><span id=s slot=x>Slotted text</span></div><script>host.attachShadow({mode:'open'}).innerHTML='<b id=in>Inside <i id=deep>deep text</i></b><slot name=x></slot>'</script>`,
    selectors: ["text=deep text", "text=inside", "text=slotted", "#host b", "#host i#deep", "div b > i", "b i", "#in", "div > b"],
  },
  {
    about: "roles that tags have",
    html: `<a id=a href=#>x</a><a id=b>x</a><button id=c>x</button><input id=d><input id=e type=checkbox><input id=f type=radio><input id=g type=range><input id=h type=number><input id=i type=search><input id=j type=submit><input id=k type=file><input id=l type=hidden><select id=m><option id=o1>1</select><select id=n multiple><option id=o2>1</select><textarea id=q></textarea><img id=r alt=x src=data:,><img id=s alt="" src=data:,><input id=t list=dl><datalist id=dl></datalist><input id=u type=password><input id=v type=email><progress id=w></progress><output id=x></output><hr id=y><details id=z><summary id=z1>x</summary></details>`,
    selectors:
      "link button textbox checkbox radio slider spinbutton searchbox combobox listbox option img presentation progressbar status separator group"
        .split(" ")
        .map((role) => `role=${role}`),
  },
  {
    about: "landmarks, headings, lists and tables",
    html: `<header id=a>x</header><nav id=b>x</nav><main id=c><article id=d><header id=e>x</header><footer id=f>x</footer></article><section id=g>x</section><section id=h aria-label=x>x</section><h2 id=i>x</h2><h3 id=j aria-level=5>x</h3><div id=k role=heading aria-level=2>x</div></main><form id=l></form><form id=m aria-label=x></form><footer id=n>x</footer><ul id=o><li id=p>x</ul><ul id=q role=presentation><li id=r>x</ul><table id=s><thead id=t><tr id=u><th id=v>x<th id=v2>y<tbody id=w><tr id=x><th id=y scope=row>x<td id=z>x</table><table id=t2 role=grid><tr id=t3><td id=t4>1</table><aside id=as>x</aside>`,
    selectors:
      "banner navigation main article contentinfo region heading form list listitem table row columnheader rowheader cell grid gridcell rowgroup complementary"
        .split(" ")
        .map((role) => `role=${role}`)
        .concat("role=heading[level=2]", "role=heading[level=5]"),
  },
  {
    about: "names from content, labels and attributes",
    html: `<button id=a>Save  changes</button><button id=b aria-label="Save changes">x</button><button id=c aria-labelledby="lb1 lb2">x</button><i id=lb1>Save</i><i id=lb2 hidden>changes</i><button id=d title="Save changes"><svg></svg></button><button id=e><img alt="Save changes" src=data:,></button><input id=f type=submit value="Save changes"><button id=g>save changes</button><button id=h>Save changes now</button><div id=i role=button>Save <b>changes</b></div><button id=j><span>Save</span><span>changes</span></button><button id=k>Save <span hidden>all</span>changes</button><button id=l>Save <span aria-hidden=true>★</span> changes</button><button id=m style="text-transform:uppercase">Save changes</button>`,
    selectors: [
      "role=button[name='Save changes']",
      "role=button[name='save changes' i]",
      "role=button[name*='changes']",
      "role=button[name^='Save']",
      "role=button[name$='now']",
      "role=button[name=/^save\\s/i]",
      "role=button[name='Save']",
      "role=button",
    ],
  },
  {
    about: "names of fields",
    html: `<label id=l1 for=a>First name</label><input id=a><label id=l2>Last name <input id=b></label><input id=c aria-label="City"><input id=d placeholder="Street"><input id=e title="Zip"><input id=f placeholder="x" title="Country"><fieldset id=g><legend>Payment</legend><label><input type=radio id=h> Card</label></fieldset><label for=i>Amount</label><input id=i type=number value=5><label>Size <select id=j><option>S<option selected>M</select></label><label>Flash the screen <input id=k value=3 aria-label="times"> times</label><textarea id=n placeholder="Notes"></textarea>`,
    selectors: [
      "role=textbox[name='First name']",
      "role=textbox[name='Last name']",
      "role=textbox[name='City']",
      "role=textbox[name='Street']",
      "role=textbox[name='Zip']",
      "role=textbox[name='Country']",
      "role=group[name='Payment']",
      "role=radio[name='Card']",
      "role=spinbutton[name='Amount']",
      "role=combobox[name='Size']",
      "role=textbox[name='Notes']",
      "role=textbox[name=/times/]",
    ],
  },
  {
    about: "hidden elements have no role, unless asked for",
    html: `<button id=a hidden>Go</button><button id=b style="visibility:hidden">Go</button><div aria-hidden=true><button id=c>Go</button></div><button id=d>Go</button><details><summary id=sm>More</summary><button id=e>Go</button></details><div style="display:contents"><button id=f>Go</button></div><button id=g style="opacity:0">Go</button>`,
    selectors: ["role=button[name='Go']", "role=button[name='Go'][include-hidden]", "role=button[include-hidden]"],
  },
  {
    about: "states",
    html: `<input id=a type=checkbox checked><input id=b type=checkbox><div id=c role=checkbox aria-checked=mixed>x</div><div id=d role=switch aria-checked=true>x</div><button id=e aria-pressed=true>x</button><button id=f disabled>x</button><fieldset disabled><button id=g>x</button><legend><button id=h>x</button></legend></fieldset><div aria-disabled=true><button id=i>x</button></div><button id=j aria-expanded=true>x</button><button id=k aria-expanded=false>x</button><div role=tab id=l aria-selected=true>x</div><div role=tab id=m>x</div><select><option id=n>1<option id=o selected>2</select>`,
    selectors: [
      "role=checkbox[checked]",
      "role=checkbox[checked=false]",
      "role=checkbox[checked=mixed]",
      "role=switch[checked]",
      "role=button[pressed]",
      "role=button[disabled]",
      "role=button[disabled=false]",
      "role=button[expanded]",
      "role=button[expanded=false]",
      "role=tab[selected]",
      "role=tab[selected=false]",
      "role=option[selected]",
    ],
  },
  {
    about: "explicit and unknown roles",
    html: `<div id=a role="button">x</div><div id=b role="nonsense button">x</div><button id=c role="presentation">x</button><button id=d role=none>x</button><h1 id=e role=presentation>x</h1><div id=f role=" alert ">x</div><ul role=none><li id=g>x</ul><table role=presentation><tr id=h><td id=i>x</table>`,
    selectors: ["role=button", "role=alert", "role=heading", "role=listitem", "role=cell", "role=row"],
  },
  {
    about: "names with generated content, blocks and nested controls",
    html: `<style>#a::before{content:"Step "}#b::after{content:" (new)"}</style><button id=a>one</button><button id=b>Mail</button><button id=c><div>Two</div><div>rows</div></button><button id=d>A<br>B</button><a id=e href=#>Go to <img alt=cart src=data:,></a><div id=f role=button><input value=inner> x</div><table><tr id=g><td>Order</td><td>7</td></table><div id=h role=tooltip>Tip</div><h2 id=i>Title <a id=j href=#>link</a></h2>`,
    selectors: [
      "role=button[name='Step one']",
      "role=button[name='Mail (new)']",
      "role=button[name='Two rows']",
      "role=button[name='A B']",
      "role=link[name='Go to cart']",
      "role=button[name=/inner/]",
      "role=row[name='Order 7']",
      "role=tooltip[name='Tip']",
      "role=heading[name='Title link']",
    ],
  },
  {
    about: "roles in shadow roots and slots",
    html: `<div id=host><button id=light>Slotted</button></div><script>host.attachShadow({mode:'open'}).innerHTML='<button id=in>Inner <slot></slot></button><label>Deep <input id=dx></label>'</script>`,
    selectors: ["role=button[name='Slotted']", "role=button", "role=textbox[name='Deep']", "role=button[name=/Inner/]"],
  },
  {
    about: "CSS is the browser's, with a few pseudo-classes more",
    html: `<table><tr id=r1><td>Order 1</td><td><button id=b1>Cancel</button></td></tr><tr id=r2><td>Order 12</td><td><button id=b2>Cancel</button></td></tr></table><ul><li id=x class=a>1<li id=y class="a b">2<li id=z>3</ul>`,
    selectors: [
      "tr:has-text('Order 12') button",
      "tr:has(td:nth-child(1))",
      "li.a, li:last-child",
      "li:last-child, li.a",
      "li + li",
      "li ~ li",
      "ul > li:not(.b)",
      "button:text('cancel')",
      "td:text-is('Order 1')",
      "tr:has-text('order 1'):has-text('12')",
      "*:has-text('Order 12') button",
      "LI.a",
    ],
  },
  {
    about: "SVG, custom elements, template and foreign content",
    html: `<svg id=a role=img aria-label=Chart><text id=t>Sales</text><title>Chart</title></svg><my-el id=b>Sales report</my-el><template><p id=c>Sales</p></template><math id=d><mi id=mi>x</mi></math>`,
    selectors: ["text=sales", "role=img[name='Chart']", "my-el", "svg text", "template p"],
  },
  {
    about: "xpath",
    html: `<div id=a class="x y"><p id=b>one</p><p id=c>two</p></div>`,
    selectors: ["xpath=//p[2]", "//div[contains(@class,'y')]/p", "xpath=//p[text()='one']"],
  },
];

describe("selectors, as Playwright finds them", () => {
  let harness: Harness;
  let playwright: PlaywrightBrowser;
  let theirPage: PlaywrightPage;
  let bench: Bench;
  beforeAll(async () => {
    const args = ["--no-sandbox", "--disable-gpu"];
    [harness, playwright] = await Promise.all([openHarness(), chromium.launch({ executablePath: CHROME_PATH, args })]);
    theirPage = await playwright.newPage();
    bench = await harness.open("");
  });
  afterAll(async () => {
    await bench?.[Symbol.asyncDispose]();
    await Promise.all([harness?.[Symbol.asyncDispose](), playwright?.close()]);
  });

  it.each(FRAGMENTS)("$about", async ({ html, selectors }) => {
    harness.site.routes = { "/": `<!doctype html><body>${html}` };
    const url = `${harness.site.url}/`;
    await Promise.all([bench.act("goto", { url }), theirPage.goto(url)]);
    const theirs: Record<string, Count> = {};
    const ours: Record<string, Count> = {};
    for (const selector of selectors) {
      theirs[selector] = await countTheirs(theirPage, selector);
      ours[selector] = await countOurs(bench, selector);
    }
    expect(ours).toEqual(theirs);
  });
});

type Count = { total: number; visible: number; first: string | null };

async function countTheirs(page: PlaywrightPage, selector: string): Promise<Count> {
  const handles = await page.locator(selector).elementHandles();
  const all = await Promise.all(
    handles.map(async (handle) => ({
      id: await handle.evaluate((node) => (node as Element).id || (node as Element).localName),
      visible: await handle.isVisible(),
    })),
  );
  const visible = all.filter((each) => each.visible);
  return { total: all.length, visible: visible.length, first: visible[0]?.id ?? all[0]?.id ?? null };
}

async function countOurs(bench: Bench, selector: string): Promise<Count> {
  const link = await linkOf(bench.page);
  const { signal } = bench.stop;
  const look = { queries: [parseSelector(selector)], want: "attached", task: null, tellsWay: false, goal: "there", waitMs: 0 } as const;
  const answer = await link.call(link.main, "look", { ...look, queries: [...look.queries], chain: [] }, signal);
  if (answer.kind !== "found") return { total: 0, visible: 0, first: null };
  const { result } = await link.session.send("Runtime.callFunctionOn", {
    objectId: await link.node(link.main, "held", signal),
    functionDeclaration: "function () { return this.id || this.localName }",
    returnByValue: true,
  });
  return { total: answer.total, visible: answer.visible, first: result.value };
}
