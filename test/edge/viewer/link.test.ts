import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { callerOf } from "../../../edge/auth.ts";
import { type ApiKey, parseConfig } from "../../../edge/config.ts";
import { createLinks } from "../../../edge/viewer/link.ts";
import { newRunId } from "../../../shared/ids.ts";
import { edgeEnv } from "../../support/edge.ts";

const config = parseConfig(edgeEnv(["http://127.0.0.1:1"], { EDGE_VIEWER_LINK_S: "600" }));
const keyOf = (name: string) => config.keys.find((key) => key.name === name) as ApiKey;
const tester = callerOf(keyOf("tester"));
const runId = newRunId();
const invalid = { code: "UNAUTHORIZED", details: { reason: "link_invalid" } };

describe("a link to a trace", () => {
  it("opens, at any edge of the pool, that one run with the rights of the key that asked for it", async () => {
    const { link } = await createLinks(config).make(runId, tester);
    expect(await createLinks(config).open(link)).toEqual({ runId, caller: tester });
    const admin = callerOf(keyOf("admin"));
    expect((await createLinks(config).open((await createLinks(config).make(runId, admin)).link)).caller.onlyOwn).toBeNull();
  });

  it("expires when it says so, and not before", async () => {
    let now = 1_000_000_000_000;
    const links = createLinks(config, () => now);
    const { link, expiresAt } = await links.make(runId, tester);
    expect(expiresAt.getTime() - now).toBe(600_000);
    now = expiresAt.getTime() - 1;
    expect((await links.open(link)).runId).toBe(runId);
    now = expiresAt.getTime();
    await expect(links.open(link)).rejects.toMatchObject({ code: "UNAUTHORIZED", details: { reason: "link_expired" } });
  });

  it("ends with its key: gone, changed, or without the scope", async () => {
    const { link } = await createLinks(config).make(runId, tester);
    const others = config.keys.filter(({ name }) => name !== "tester");
    const changed: ApiKey = { ...keyOf("tester"), key: "another-key" };
    const blind: ApiKey = { ...keyOf("tester"), scopes: new Set(["pool"]) };
    for (const keys of [others, [...others, changed], [...others, blind]])
      await expect(createLinks({ ...config, keys }).open(link)).rejects.toMatchObject(invalid);
  });

  it("is good for nothing at the edge of another pool", async () => {
    const { link } = await createLinks({ ...config, poolToken: "another-token" }).make(runId, tester);
    await expect(createLinks(config).open(link)).rejects.toMatchObject(invalid);
  });

  it("holds neither the key nor the pool's token", async () => {
    const { link } = await createLinks(config).make(runId, tester);
    const plain = link.split(".").map((part) => Buffer.from(part, "base64url").toString("latin1"));
    for (const secret of [keyOf("tester").key, config.poolToken]) expect(`${link} ${plain}`).not.toContain(secret);
  });

  it("is refused when a single character of it differs", async () => {
    const links = createLinks(config);
    const { link } = await links.make(runId, tester);
    const bits = (text: string) => text.split(".").map((part) => Buffer.from(part, "base64url").toString("hex"));
    await fc.assert(
      fc.asyncProperty(fc.nat(link.length - 1), fc.constantFrom(..."Aa0_-.!"), async (at, char) => {
        const other = link.slice(0, at) + char + link.slice(at + 1);
        fc.pre(String(bits(other)) !== String(bits(link))); // the last character has bits that no byte needs
        await expect(links.open(other)).rejects.toMatchObject(invalid);
      }),
      { numRuns: 100 },
    );
  });

  it("is refused when it is anything else", async () => {
    const links = createLinks(config);
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.string(),
          fc.base64String().map((text) => `${text}.${text}`),
        ),
        async (text) => {
          await expect(links.open(text)).rejects.toMatchObject(invalid);
        },
      ),
      { numRuns: 100 },
    );
    for (const text of [null, "", ".", "a.b.c", `${"x".repeat(2_000)}.x`, keyOf("tester").key, config.poolToken])
      await expect(links.open(text)).rejects.toMatchObject(invalid);
  });
});
