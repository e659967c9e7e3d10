/** What the model sees of the page: all of it once, then what changed. */
import type { PageMap } from "../actions/page-map.ts";
import { fitLines, type PageLine, toLines } from "./page-lines.ts";
import { estimateTokens } from "./tokens.ts";
import { untrusted } from "./untrusted.ts";

/** Tokens that a look at a page may cost. */
export const PAGE_BUDGET = 4_000;
/** After so many looks at changes the whole page is shown again: what they add up to is hard to keep in mind. */
const MAX_CHANGES = 6;

/** `whole`: nothing that was seen before is needed to understand it. */
export type Observation = { whole: boolean; text: string };
export type Observer = { see(map: PageMap): Observation };

/** `clean` sees each line that came from the page: it masks secrets, and takes out what must not be read. */
export function createObserver(clean: (text: string) => string, budget = PAGE_BUDGET): Observer {
  let last: { document: string; url: string; lines: string[] } | null = null;
  let looks = 0;
  let spent = 0;
  return {
    see(map) {
      const lines: PageLine[] = toLines(map).map(({ text, rank }) => ({ text: clean(text), rank }));
      const title = clean(
        `Page ${JSON.stringify(map.title)} at ${map.url}${map.truncated ? " (too large to be looked at as a whole)" : ""}`,
      );
      const texts = lines.map(({ text }) => text);
      const before = last;
      last = { document: map.document, url: map.url, lines: texts };
      if (before && before.document === map.document && before.url === map.url && looks < MAX_CHANGES) {
        const { added, removed } = difference(before.lines, texts);
        const changes = added.length + removed.length === 0 ? "Nothing on the page has changed." : changesText(title, removed, added);
        const cost = estimateTokens(changes);
        if (spent + cost <= budget / 2) {
          looks += 1;
          spent += cost;
          return { whole: false, text: changes };
        }
      }
      looks = 0;
      spent = 0;
      const room = budget - estimateTokens(title) - 30; // the markers and the words around them
      return { whole: true, text: `The page now:\n${untrusted([title, ...fitLines(lines, room, map.left)].join("\n"))}` };
    },
  };
}

const changesText = (title: string, removed: string[], added: string[]): string =>
  `What changed on the page since the last look (- gone, + new):\n${untrusted([title, ...removed.map((each) => `- ${each}`), ...added.map((each) => `+ ${each}`)].join("\n"))}`;

/** Lines of which there are more or fewer than before, in their order. */
function difference(before: readonly string[], after: readonly string[]): { added: string[]; removed: string[] } {
  const surplus = (lines: readonly string[], others: readonly string[]) => {
    const have = new Map<string, number>();
    for (const line of others) have.set(line, (have.get(line) ?? 0) + 1);
    return lines.filter((line) => {
      const count = have.get(line) ?? 0;
      have.set(line, count - 1);
      return count <= 0;
    });
  };
  return { added: surplus(after, before), removed: surplus(before, after) };
}
