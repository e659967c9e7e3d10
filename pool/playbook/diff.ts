/** Two texts → a unified diff of their lines. */

const CONTEXT = 3;
/** More changed lines than a repair ever has are shown as all gone and all new. */
const MAX_CELLS = 1_000_000;

type Line = { mark: " " | "-" | "+"; text: string };

/** Empty when they are the same. `name` stands in its head. */
export function unifiedDiff(before: string, after: string, name: string): string {
  if (before === after) return "";
  const lines = compare(linesOf(before), linesOf(after));
  const hunks: string[] = [];
  for (let i = 0; i < lines.length; ) {
    if (lines[i]?.mark === " ") {
      i += 1;
      continue;
    }
    const start = Math.max(0, i - CONTEXT);
    let end = i;
    for (let j = i; j < lines.length && j <= end + 2 * CONTEXT; j += 1) if (lines[j]?.mark !== " ") end = j;
    const stop = Math.min(lines.length, end + CONTEXT + 1);
    hunks.push(hunk(lines, start, stop));
    i = stop;
  }
  return [`--- a/${name}`, `+++ b/${name}`, ...hunks, ""].join("\n");
}

const linesOf = (text: string): string[] => text.replace(/\r?\n$/, "").split(/\r?\n/);

function hunk(lines: readonly Line[], start: number, stop: number): string {
  const count = (marks: string, upTo: readonly Line[]) => upTo.filter(({ mark }) => marks.includes(mark)).length;
  const part = lines.slice(start, stop);
  const before = lines.slice(0, start);
  const at = (marks: string) => `${count(marks, before) + 1},${count(marks, part)}`;
  return [`@@ -${at(" -")} +${at(" +")} @@`, ...part.map(({ mark, text }) => `${mark}${text}`)].join("\n");
}

function compare(before: readonly string[], after: readonly string[]): Line[] {
  let head = 0;
  while (head < before.length && head < after.length && before[head] === after[head]) head += 1;
  let tail = 0;
  while (tail < before.length - head && tail < after.length - head && before.at(-1 - tail) === after.at(-1 - tail)) tail += 1;
  const same = (lines: readonly string[]): Line[] => lines.map((text) => ({ mark: " ", text }));
  const middle = changes(before.slice(head, before.length - tail), after.slice(head, after.length - tail));
  return [...same(before.slice(0, head)), ...middle, ...same(before.slice(before.length - tail))];
}

/** By the longest common subsequence. */
function changes(before: readonly string[], after: readonly string[]): Line[] {
  const all = (mark: "-" | "+", lines: readonly string[]): Line[] => lines.map((text) => ({ mark, text }));
  if (before.length * after.length > MAX_CELLS) return [...all("-", before), ...all("+", after)];
  const width = after.length + 1;
  const best = new Uint32Array((before.length + 1) * width);
  const at = (i: number, j: number) => best[i * width + j] as number;
  for (let i = before.length - 1; i >= 0; i -= 1)
    for (let j = after.length - 1; j >= 0; j -= 1)
      best[i * width + j] = before[i] === after[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
  const lines: Line[] = [];
  let [i, j] = [0, 0];
  while (i < before.length || j < after.length) {
    if (i < before.length && j < after.length && before[i] === after[j]) {
      lines.push({ mark: " ", text: before[i] as string });
      [i, j] = [i + 1, j + 1];
    } else if (i < before.length && (j === after.length || at(i + 1, j) >= at(i, j + 1)))
      lines.push({ mark: "-", text: before[i++] as string });
    else lines.push({ mark: "+", text: after[j++] as string });
  }
  return lines;
}
