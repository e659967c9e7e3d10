import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatBrowserId, isRunId, newRunId, PARAMETER_NAME, PLAYBOOK_ID, parseRunId } from "../../shared/ids.ts";
import { ANY_CHARACTER } from "../support/arbitraries.ts";

describe("run ids", () => {
  it("are random UUIDs, each another", () => {
    const ids = Array.from({ length: 100 }, newRunId);
    expect(new Set(ids).size).toBe(100);
    expect(ids.every(isRunId)).toBe(true);
  });

  it("are read whatever the case, and have one spelling inside", () => {
    const id = newRunId();
    expect(parseRunId(id.toUpperCase())).toBe(id);
    expect(isRunId(id.toUpperCase())).toBe(id === id.toUpperCase());
  });

  it.each([
    "",
    "..",
    "../../etc/passwd",
    `${newRunId()}/..`,
    `${newRunId()}\0`,
    ` ${newRunId()}`,
    `{${newRunId()}}`,
    newRunId().replaceAll("-", ""),
    "00000000-0000-0000-0000-00000000000g",
  ])("are nothing like %j", (text) => {
    expect(() => parseRunId(text)).toThrow(expect.objectContaining({ code: "NOT_FOUND" }));
  });

  it("never let through what could leave a folder or break a header", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: ANY_CHARACTER }),
          fc.uuid().map((id) => `${id}/`),
          fc.uuid(),
        ),
        (text) => {
          let id: string;
          try {
            id = parseRunId(text);
          } catch {
            return;
          }
          expect(id).toMatch(/^[0-9a-f-]{36}$/);
        },
      ),
    );
  });
});

it("ids of playbooks, parameters and browsers have their forms", () => {
  for (const id of ["a", "cancel_order-2", "x".repeat(100)]) expect(PLAYBOOK_ID.test(id)).toBe(true);
  for (const id of ["", "A", "a.b", "a/b", "x".repeat(101), "a\n"]) expect(PLAYBOOK_ID.test(id)).toBe(false);
  for (const name of ["a", "_x1"]) expect(PARAMETER_NAME.test(name)).toBe(true);
  for (const name of ["", "1a", "a.b", "a-b", "A"]) expect(PARAMETER_NAME.test(name)).toBe(false);
  expect(formatBrowserId("node", 3)).toBe("node.3");
});
