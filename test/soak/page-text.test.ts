/** What the filter of a page's texts costs grows with their number, not with its square. */
import { expect, it } from "vitest";
import { filterTexts } from "../../pool/guardrails/page-text.ts";

const cpuOf = (texts: readonly string[]) => {
  const began = process.cpuUsage();
  filterTexts(texts);
  return process.cpuUsage(began).user;
};

it.each(
  Object.entries({
    "marks of a conversation": "[sys]".repeat(12),
    "orders in other letters": "1gn0re the user ",
    "pieces of base64": btoa("a picture of a cat on a mat "),
    "what is encoded": "&#97;%41",
    words: "Overview",
    nothing: "",
  }),
)("takes four times as long for four times as many texts: %s", (_, text) => {
  cpuOf(Array(2_000).fill(text)); // compiles the patterns
  const [once, fourfold] = [3_000, 12_000].map((count) => cpuOf(Array(count).fill(text))) as [number, number];
  expect(fourfold / Math.max(once, 50_000)).toBeLessThan(9); // 16 where each match looks at each text; µs
});
