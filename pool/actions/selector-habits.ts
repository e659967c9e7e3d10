/** What authors bring along from other tools, and how it is written here. Asked only about what is no selector. */

const CHAINED =
  /\s>>\s*(?:css|xpath|text|role|id|nth|visible|has|has-text|has-not|has-not-text|data-testid|data-test-id|data-test|internal:[a-z-]+|_react|_vue)=/;

const GET_BY: Record<string, string> = {
  Role: "role=button[name='Save']",
  Text: "text=Save",
  TestId: "[data-testid='save']",
  Label: "aria/Name",
  Placeholder: "[placeholder='Name']",
  Title: "[title='Name']",
  AltText: "[alt='Name']",
};

/** What to write instead; null: it is no habit that we know. */
export function habitHint(source: string): string | null {
  if (/^(?:\/[\w@]|html\/)/.test(source)) return `it looks like XPath; write xpath/${source.startsWith("/") ? "" : "/"}${cut(source)}`;
  const playwright = /^(?:page\.)?getBy(Role|Text|TestId|Label|Placeholder|Title|AltText)\(/.exec(source)?.[1];
  if (playwright) return `Playwright's getBy${playwright}() is code; write ${GET_BY[playwright]}`;
  const [, name, raw] = /^([a-z_][\w:-]*)=([\s\S]*)$/i.exec(source) ?? [];
  if (name === undefined || raw === undefined) return null;
  const value = cut(raw.trim().replace(/^(["'])([\s\S]*)\1$/, "$2"));
  const quoted = `"${value.replace(/["\\]/g, "\\$&")}"`;
  switch (name.toLowerCase()) {
    case "id":
      return `"id=" is not known here; write ${/^[a-z_][\w-]*$/i.test(value) ? `#${value}` : `[id=${quoted}]`}`;
    case "class":
    case "classname":
      return `"${name}=" is not known here; write ${/^[a-z_][\w-]*$/i.test(value) ? `.${value}` : `[class=${quoted}]`}`;
    case "nth":
      return `"nth=" is not known here; count in CSS with :nth-child(${countFromOne(value)}), or in XPath with xpath/(//a)[${countFromOne(value)}]`;
    case "visible":
      return '"visible=" is not known here; write :visible behind the CSS';
    case "internal:role":
      return `"internal:role=" is not known here; write role=${value}`;
    case "internal:text":
    case "link":
    case "has-text":
      return `"${name}=" is not known here; write text=${value}`;
    case "_react":
    case "_vue":
      return `"${name}=" is not known here: the page's components cannot be asked, its elements can, such as #id or role=button`;
    default:
      if (name.includes(":") || name.startsWith("_")) return `"${name}=" is not known here; use CSS, text=, role=, aria/ or xpath/`;
      return `"${name}=" is not known here; an attribute is written [${name}=${quoted}]`;
  }
}

/** Playwright's index is from 0, and -1 is the last. */
const countFromOne = (index: string): string => (/^\d{1,6}$/.test(index) ? String(Number(index) + 1) : "1");
const cut = (text: string): string => (text.length > 100 ? `${text.slice(0, 100)}…` : text);

/** A text may hold ">>", as "Next >>" does; with another kind of selector behind it, it is meant as a chain, which there is none of. */
export const isChain = (text: string): boolean => CHAINED.test(text);
