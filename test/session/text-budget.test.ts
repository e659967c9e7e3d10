import { expect, it } from "vitest";
import { createTextBudget } from "../../pool/session/text-budget.ts";

it("keeps the texts of a run whole until they are too long together, then says so in each and once on the run", () => {
  const told: string[] = [];
  const keep = createTextBudget((message) => told.push(message), 10);
  expect([keep("12345"), keep(""), keep("67890")]).toEqual(["12345", "", "67890"]);
  expect(told).toEqual([]);
  expect([keep("a"), keep("b")]).toEqual(Array(2).fill("… (cut: the run's texts are longer than 10 characters together)"));
  expect(createTextBudget(() => {}, 3)("abcdef")).toMatch(/^abc… \(cut/);
  expect(told).toEqual(["The texts of this run are longer than 10 characters together; what is beyond is cut"]);
});
