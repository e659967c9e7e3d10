import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createAuthenticate, parseBearer, requireScope } from "../../edge/auth.ts";
import type { ApiKey, Scope } from "../../edge/config.ts";
import { ANY_CHARACTER } from "../support/arbitraries.ts";

const apiKey = (name: string, key: string, ...scopes: Scope[]): ApiKey => ({ name, key, scopes: new Set(scopes) });
const authenticate = createAuthenticate([
  apiKey("a", "secret-of-a", "read"),
  apiKey("b", "secret-of-b", "read", "runs"),
  apiKey("ops", "x".repeat(256), "read", "pool"),
]);
const unauthorized = expect.objectContaining({ code: "UNAUTHORIZED" });

describe("authenticate", () => {
  it("finds who calls by the whole key", () => {
    expect(authenticate("Bearer secret-of-a").name).toBe("a");
    expect(authenticate("bearer  secret-of-b ").name).toBe("b");
    expect(authenticate(`Bearer ${"x".repeat(256)}`).name).toBe("ops");
  });

  it("lets a key see its own runs, and everybody's with the scope pool", () => {
    expect(authenticate("Bearer secret-of-a").onlyOwn).toBe("a");
    expect(authenticate(`Bearer ${"x".repeat(256)}`).onlyOwn).toBeNull();
  });

  it.each([
    undefined,
    null,
    "",
    "secret-of-a",
    "Basic secret-of-a",
    "Bearer",
    "Bearer ",
    "Bearer secret-of-",
    "Bearer secret-of-aa",
    "Bearer Secret-of-a",
    "Bearer secret-of-a\0",
    `Bearer ${"x".repeat(257)}`,
    "Bearer a b",
  ])("refuses %j", (header) => {
    expect(() => authenticate(header)).toThrow(unauthorized);
  });

  it("takes no key but the very one", () => {
    fc.assert(
      fc.property(fc.string({ unit: ANY_CHARACTER, maxLength: 300 }), (text) => {
        fc.pre(!["secret-of-a", "secret-of-b"].includes(text.trim()));
        expect(codeOf(() => authenticate(`Bearer ${text}`))).toBe("UNAUTHORIZED");
      }),
    );
  });
});

describe("parseBearer", () => {
  it("gives back any token of visible characters", () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[!-~]{1,100}$/), (token) => {
        expect(parseBearer(`Bearer ${token}`)).toBe(token);
      }),
    );
  });

  it("is quick with a header made to be slow", () => {
    const before = performance.now();
    expect(parseBearer(`Bearer ${" ".repeat(100_000)}x y`)).toBeNull();
    expect(performance.now() - before).toBeLessThan(5_000);
  });
});

describe("requireScope", () => {
  it("is 403 without the scope, and says which", () => {
    const caller = authenticate("Bearer secret-of-a");
    expect(() => requireScope(caller, "read")).not.toThrow();
    expect(() => requireScope(caller, "runs")).toThrow(expect.objectContaining({ code: "FORBIDDEN", details: { scope: "runs" } }));
  });
});

function codeOf(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return (error as { code?: unknown }).code;
  }
  return null;
}
