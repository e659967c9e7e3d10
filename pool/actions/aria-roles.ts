/** The ARIA roles that elements are found by: those of Playwright. What an element's `role` says besides is no role to either. */
export const ARIA_ROLES: readonly string[] = `
  alert alertdialog application article banner blockquote button caption cell checkbox code columnheader combobox complementary
  contentinfo definition deletion dialog directory document emphasis feed figure form generic grid gridcell group heading img
  insertion link list listbox listitem log main mark marquee math meter menu menubar menuitem menuitemcheckbox menuitemradio
  navigation none note option paragraph presentation progressbar radio radiogroup region row rowgroup rowheader scrollbar search
  searchbox separator slider spinbutton status strong subscript superscript switch tab table tablist tabpanel term textbox time
  timer toolbar tooltip tree treegrid treeitem
`
  .trim()
  .split(/\s+/);

/** What authors call a role by the name of a tag, or as other tools do. */
const MEANT: Record<string, string> = {
  a: "link",
  anchor: "link",
  btn: "button",
  dropdown: "combobox",
  footer: "contentinfo",
  header: "banner",
  image: "img",
  input: "textbox",
  modal: "dialog",
  nav: "navigation",
  select: "combobox",
  textarea: "textbox",
  textfield: "textbox",
};

export const isAriaRole = (role: string): boolean => ARIA_ROLES.includes(role);

/** The one role that was most likely meant by a word that is none; null: there is none such, or several. */
export function meantRole(word: string): string | null {
  if (Object.hasOwn(MEANT, word)) return MEANT[word] as string;
  return /^h[1-6]$/.test(word) ? "heading" : misspeltRole(word);
}

/** The one role that is nearest to a word in its letters, if any is near. */
export function misspeltRole(word: string): string | null {
  const allowed = word.length < 4 ? 0 : word.length < 7 ? 1 : 2;
  const near = ARIA_ROLES.filter((role) => Math.abs(role.length - word.length) <= allowed)
    .map((role) => ({ role, slips: slipsBetween(word, role) }))
    .filter(({ slips }) => slips <= allowed)
    .toSorted((a, b) => a.slips - b.slips);
  const [first, second] = near;
  return first && first.slips !== second?.slips ? first.role : null;
}

/** Letters left out, put in, mistaken, or two in the wrong order: the fewest that make one word of the other (optimal string alignment). */
function slipsBetween(a: string, b: string): number {
  let before: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      next[j] = Math.min(
        (row[j] as number) + 1,
        (next[j - 1] as number) + 1,
        (row[j - 1] as number) + same,
        swapped ? (before[j - 2] as number) + 1 : Number.POSITIVE_INFINITY,
      );
    }
    [before, row] = [row, next];
  }
  return row[b.length] as number;
}
