import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { canonicalJson, createSeal, openSeal } from "../../pool/store/seal.ts";
import { type Credentials, SecretValue } from "../../shared/secret-value.ts";

const KEY = "0123456789abcdef0123456789abcdef";
const secretsOf = (values: Record<string, string>): Credentials =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [name, new SecretValue(name, value)] as const));
const revealed = (credentials: Credentials) =>
  Object.fromEntries(Object.entries(credentials).map(([name, secret]) => [name, secret.reveal()] as const));

describe("the seal", () => {
  const seal = createSeal(KEY);
  const plain = { password: "hunter2-and-more", user: "ada" };
  const credentials = secretsOf(plain);

  it("opens what it sealed, for the same run", () => {
    expect(revealed(seal.unseal("run-1", seal.seal("run-1", credentials)))).toEqual(plain);
  });

  it("shows nothing of a credential, and never the same bytes twice", () => {
    const [first, second] = [seal.seal("run-1", credentials), seal.seal("run-1", credentials)];
    expect(Buffer.from(first).toString("latin1")).not.toContain("hunter2");
    expect(first).not.toEqual(second);
  });

  it("opens for no other run and under no other key", () => {
    const sealed = seal.seal("run-1", credentials);
    expect(() => seal.unseal("run-2", sealed)).toThrow(expect.objectContaining({ code: "SETUP_FAILED" }));
    expect(() => createSeal(`${KEY}x`).unseal("run-1", sealed)).toThrow(expect.objectContaining({ code: "SETUP_FAILED" }));
  });

  it("refuses bytes that were changed or cut anywhere, and says nothing of what they hold", () => {
    const sealed = seal.seal("run-1", credentials);
    fc.assert(
      fc.property(fc.nat(sealed.length - 1), fc.integer({ min: 1, max: 255 }), fc.boolean(), (at, flip, cut) => {
        const damaged = cut ? sealed.slice(0, at) : sealed.map((byte, i) => (i === at ? byte ^ flip : byte));
        expect(() => seal.unseal("run-1", damaged)).toThrow(/^(?!.*hunter2).*$/s);
      }),
    );
  });

  it("gives two bodies one digest when they say the same, and only then", () => {
    const body = { params: { a: 1, b: [1, 2] }, credentials };
    expect(seal.digest({ credentials: { user: "ada", password: "hunter2-and-more" }, params: { b: [1, 2], a: 1 } })).toEqual(
      seal.digest(body),
    );
    expect(seal.digest({ ...body, credentials: secretsOf({ ...plain, password: "hunter3" }) })).not.toEqual(seal.digest(body));
    expect(seal.digest({ ...body, params: { a: 1, b: [2, 1] } })).not.toEqual(seal.digest(body));
    expect(createSeal(`${KEY}x`).digest(body)).not.toEqual(seal.digest(body)); // keyed: nobody can try passwords against it
  });

  it("writes canonical JSON that parses to the same value", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(JSON.parse(canonicalJson(value))).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });
});

describe("the key of the seal", () => {
  it("is made once, for its owner's eyes alone, and kept", async () => {
    const dataDir = await mkdtemp(join(tmpdir(), "us-seal-"));
    try {
      const sealed = (await openSeal({ secretsKey: null, dataDir })).seal("run-1", secretsOf({ user: "ada" }));
      expect(revealed((await openSeal({ secretsKey: null, dataDir })).unseal("run-1", sealed))).toEqual({ user: "ada" });
      expect((await stat(join(dataDir, "secrets.key"))).mode & 0o777).toBe(0o600);
      const key = (await readFile(join(dataDir, "secrets.key"), "utf8")).trim();
      expect(revealed((await openSeal({ secretsKey: key, dataDir: "/nowhere" })).unseal("run-1", sealed))).toEqual({ user: "ada" });
    } finally {
      await rm(dataDir, { recursive: true });
    }
  });

  it("is refused when it is too short to be one, and is not repeated in the message", async () => {
    const refused = openSeal({ secretsKey: "letmein", dataDir: "/nowhere" });
    await expect(refused).rejects.toMatchObject({ code: "VALIDATION_FAILED", message: expect.not.stringContaining("letmein") });
  });
});
