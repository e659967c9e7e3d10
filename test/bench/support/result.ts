/** What a bench module hands back, and how it is printed. */

export type Aim = { what: string; value: number; unit: string; aim: number; better: "more" | "less" };
export type BenchResult = {
  title: string;
  /** Column names, then rows. */
  table: string[][];
  aims: Aim[];
  /** What a reader needs to judge the numbers: configurations, sizes. */
  notes: string[];
};

export const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? (sorted[middle] as number) : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
};

export const isMet = ({ value, aim, better }: Aim): boolean => (better === "more" ? value >= aim : value <= aim);

export function render({ title, table, aims, notes }: BenchResult): string {
  const widths = (table[0] ?? []).map((_, column) => Math.max(...table.map((row) => row[column]?.length ?? 0)));
  const line = (row: string[]) => row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join("  ");
  return [
    `\n== ${title}`,
    ...notes.map((note) => note),
    "",
    ...table.map(line),
    "",
    ...aims.map(
      (aim) =>
        `${isMet(aim) ? "met   " : "MISSED"} ${aim.what}: ${aim.value.toFixed(2)} ${aim.unit} (aim: ${aim.better === "more" ? "≥" : "≤"} ${aim.aim})`,
    ),
  ].join("\n");
}
