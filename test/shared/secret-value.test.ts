import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import { CreateRunSchema } from "../../shared/run.ts";
import { SecretValue } from "../../shared/secret-value.ts";

describe("SecretValue", () => {
  const secret = new SecretValue("token", "hunter2-and-more");

  it("shows its name, however it is printed, joined, spread or serialised", () => {
    const shown = [
      `${secret}`,
      String(secret),
      ["", secret].join(""),
      JSON.stringify({ secret, list: [secret] }),
      inspect(secret, { depth: 9, showHidden: true }),
      inspect({ deep: { secret } }),
      JSON.stringify({ ...secret }),
      JSON.stringify(structuredClone({ ...secret })),
      Object.values(secret).join(),
      [secret].join(),
      new Error(`not ${secret}`).stack ?? "",
    ];
    expect(shown.filter((text) => text.includes("hunter2"))).toEqual([]);
    expect(shown[0]).toBe("[secret:token]");
    expect(secret.reveal()).toBe("hunter2-and-more");
  });

  it("may be typed where every credential in it may", () => {
    const user = new SecretValue("user", "ann", ["https://a.example", "https://b.example"]);
    const joined = SecretValue.join([user, ":", secret.boundTo(["https://b.example"])]);
    expect([joined.reveal(), joined.origins]).toEqual(["ann:hunter2-and-more", ["https://b.example"]]);
    expect([joined.mayBeTypedOn("https://b.example"), joined.mayBeTypedOn("https://a.example"), joined.mayBeTypedOn("null")]).toEqual([
      true,
      false,
      false,
    ]);
    expect(SecretValue.join(["a", secret]).origins).toBeNull();
  });
});

describe("credentials of a request", () => {
  const parse = (body: object) => CreateRunSchema.safeParse({ directive: "x", ...body });

  it("are secret from the moment they are parsed", () => {
    const parsed = parse({
      credentials: { password: "hunter2-and-more" },
      credential_origins: { password: ["HTTPS://Shop.example:443/"] },
    });
    expect(JSON.stringify(parsed)).not.toContain("hunter2");
    expect(inspect(parsed, { depth: 9 })).not.toContain("hunter2");
    expect(parsed.data?.credential_origins).toEqual({ password: ["https://shop.example"] });
  });

  it.each([
    [{ password: ["https://shop.example/login"] }, "credential_origins.password.0"],
    [{ password: ["shop.example"] }, "credential_origins.password.0"],
    [{ password: ["https://user@shop.example"] }, "credential_origins.password.0"],
    [{ password: ["https://*.shop.example"] }, "credential_origins.password.0"],
    [{ password: ["file:///etc"] }, "credential_origins.password.0"],
    [{ password: ["null"] }, "credential_origins.password.0"],
    [{ password: [] }, "credential_origins.password"],
    [{ password: "https://shop.example" }, "credential_origins.password"],
    [{ pin: ["https://shop.example"] }, "credential_origins.pin"],
  ])("are bound to origins and nothing else: %j is refused", (credential_origins, path) => {
    const { error } = parse({ credentials: { password: "hunter2-and-more" }, credential_origins });
    expect(error?.issues.map((issue) => issue.path.join("."))).toEqual([path]);
    expect(error?.message).not.toContain("hunter2");
  });
});
