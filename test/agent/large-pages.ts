/** Pages of the size and shape of real ones, made from a number: a shop's list, a portal, a mail box, an admin table, a page of frames. */

const times = (count: number, make: (i: number) => string): string => Array.from({ length: count }, (_, i) => make(i)).join("");
const page = (title: string, body: string) => `<!doctype html><title>${title}</title><body>${body}`;

export const LARGE_PAGES: Record<string, string> = {
  "a shop of 5,000 nodes": page(
    "Shop",
    `<header><nav aria-label="Main">${times(40, (i) => `<a href="/c/${i}">Category ${i}</a>`)}</nav><input type="search" aria-label="Search"></header>
     <main><h1>All products</h1>${times(
       420,
       (i) => `<article class="card"><div class="pic"><span></span></div><h3><a href="/p/${i}">Product number ${i} of the long list</a></h3>
        <p class="price"><b>$${i}</b> <s>$${i + 9}</s></p><div class="row"><div><button class="buy">Add to cart</button></div><span>In stock</span></div></article>`,
     )}</main><footer>${times(30, (i) => `<a href="/f/${i}">Footer ${i}</a>`)}</footer>`,
  ),
  "a portal of 300 links": page(
    "Portal",
    `<nav>${times(300, (i) => `<li><a href="/n/${i}">Link ${i} to somewhere else</a></li>`)}</nav><main><h1>News</h1>${times(
      60,
      (i) => `<section><h2>Story ${i}</h2><p>${"Words of the story go on and on. ".repeat(6)}</p><a href="/s/${i}">Read more</a></section>`,
    )}</main>`,
  ),
  "an admin table of 400 rows": page(
    "Admin",
    `<h1>Orders</h1><form aria-label="Filter">${times(30, (i) => `<label>Filter ${i} <input name="f${i}" value="v${i}"></label>`)}</form>
     <table><thead><tr>${times(8, (i) => `<th>Column ${i}</th>`)}</tr></thead><tbody>${times(
       400,
       (r) => `<tr>${times(7, (i) => `<td>Cell ${r}.${i}</td>`)}<td><button>Edit</button></td></tr>`,
     )}</tbody></table>`,
  ),
  "a mail box in shadow roots": page(
    "Mail",
    `<h1>Inbox</h1>${times(250, (i) => `<x-row data-i="${i}"><span slot="s">Subject ${i}</span></x-row>`)}
     <script>customElements.define("x-row", class extends HTMLElement { connectedCallback() {
       const i = this.dataset.i;
       this.attachShadow({ mode: "open" }).innerHTML = '<div><div><input type="checkbox" aria-label="Pick ' + i + '"><slot name="s"></slot><button>Star ' + i + '</button><button>Archive</button></div></div>';
     } })</script>`,
  ),
  "three nested frames": page(
    "Frames",
    `<h1>Outer</h1>${times(200, (i) => `<p>Paragraph ${i} <button>Go ${i}</button></p>`)}<iframe src="/frame1" width="900" height="600"></iframe>`,
  ),
};

/** The frames of the last page, by address. */
export const FRAMES: Record<string, string> = {
  "/frame1": page(
    "First",
    `<button id="same">Same</button>${times(100, (i) => `<p>One ${i}</p>`)}<iframe src="/frame2" width="800" height="400"></iframe>`,
  ),
  "/frame2": page("Second", `<button id="same">Same</button><iframe src="/frame3" width="700" height="300"></iframe>`),
  "/frame3": page("Third", `<h2>Innermost</h2><button id="pay">Pay now</button><input aria-label="Card number" value="4111111111111111">`),
};
