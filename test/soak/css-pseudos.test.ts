import { execFileSync } from "node:child_process";
import { expect, it } from "vitest";
import { FUNCTIONS, PLAIN } from "../../pool/actions/css-pseudos.ts";
import { CHROME_PATH, openChrome } from "../support/chrome.ts";

/** Every word in Chrome's own program is tried: what it takes and the list does not know would be refused without need. */
it("knows every pseudo-class and pseudo-element that this Chrome knows", async () => {
  const found = execFileSync("grep", ["-aoE", "[a-z][a-z-]{1,40}", CHROME_PATH], {
    env: { ...process.env, LC_ALL: "C" },
    maxBuffer: 2 ** 30,
  });
  const words = [...new Set(found.toString().split("\n"))].filter((word) => word !== "");
  expect(words.length).toBeGreaterThan(1_000);
  await using chrome = await openChrome();
  const page = await chrome.browser.newPage();
  const taken = (before: string, after: readonly string[]) =>
    page.evaluate(
      (words, before, after) =>
        words.filter((word) =>
          after.some((end) => {
            try {
              document.querySelector(before + word + end);
              return true;
            } catch {
              return false;
            }
          }),
        ),
      words,
      before,
      after,
    );
  const unknown = (names: string[], known: ReadonlySet<string>) => names.filter((name) => !known.has(name));
  const withArgument = ["(a)", "(1)", "(*)", "(next)"];
  const plain = await taken(":", [""]);
  expect(plain).toContain("hover");
  expect(unknown(plain, PLAIN.class)).toEqual([]);
  expect(unknown(await taken("::", [""]), PLAIN.element)).toEqual([]);
  expect(unknown(await taken(":", withArgument), FUNCTIONS.class)).toEqual([]);
  expect(unknown(await taken("::", withArgument), FUNCTIONS.element)).toEqual([]);
});
