import { availableParallelism } from "node:os";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseConfig, parseNodeUrl, SCOPES } from "../../edge/config.ts";

const enough = { EDGE_API_KEYS: "ops:runs+pool:secret", POOL_TOKEN: "token-0123" };

describe("parseConfig", () => {
  it("fills in what the contract says", () => {
    expect(parseConfig(enough)).toEqual({
      host: "127.0.0.1",
      port: 8080,
      threads: Math.min(4, availableParallelism()),
      keys: [{ name: "ops", scopes: new Set(["runs", "pool", "read"]), key: "secret" }],
      poolToken: "token-0123",
      poolNodes: ["http://127.0.0.1:7070"],
      liveIdleMs: 30_000,
      maxBodyBytes: 1024 * 1024,
      corsOrigins: [],
      bucket: null,
      viewerOrigin: null,
      viewerLinkS: 3_600,
      tracing: null,
      logLevel: "info",
    });
  });

  it("refuses to start without keys or token", () => {
    expect(() => parseConfig({})).toThrow(/EDGE_API_KEYS is missing[\s\S]*POOL_TOKEN is missing/);
  });

  it("names everything that is wrong at once, and shows no secret", () => {
    const env = {
      EDGE_API_KEYS: "a:runs:hush,a:write:hush,:read:x,nothing",
      POOL_TOKEN: "hush hush",
      EDGE_PORT: "99999",
      EDGE_THREADS: "0",
      POOL_NODES: "ftp://x",
      EDGE_LIVE_IDLE_MS: "soon",
      EDGE_MAX_BODY: "1 apple",
      EDGE_CORS_ORIGINS: "https://a.example/path",
      EDGE_VIEWER_ORIGIN: "http://traces.example",
      EDGE_VIEWER_LINK_S: "1",
      LOG_LEVEL: "loud",
      EDGE_BUCKET_URL: "s3://hush@bucket",
    };
    const message = messageOf(() => parseConfig(env));
    for (const name of Object.keys(env)) expect(message).toContain(name);
    for (const part of ["entry 2: scopes", "entry 2: its name", "entry 2: its key", "entry 3: a name", "entry 4: expected"])
      expect(message).toContain(part);
    expect(message).not.toContain("hush");
  });

  it("takes sizes in bytes, KiB and MiB, and several nodes and origins", () => {
    const config = parseConfig({
      ...enough,
      EDGE_MAX_BODY: "2MiB",
      POOL_NODES: "http://a:1/, https://b/prefix/",
      EDGE_CORS_ORIGINS: "https://x.example, http://y:3000",
    });
    expect(config.maxBodyBytes).toBe(2 * 1024 * 1024);
    expect(config.poolNodes).toEqual(["http://a:1", "https://b/prefix"]);
    expect(config.corsOrigins).toEqual(["https://x.example", "http://y:3000"]);
  });

  it.each([
    { EDGE_MAX_BODY: "17MiB" },
    { EDGE_MAX_BODY: "1000" },
    { EDGE_VIEWER_ORIGIN: "https://traces.example", EDGE_CORS_ORIGINS: "https://traces.example" },
    { EDGE_VIEWER_ORIGIN: "https://traces.example", EDGE_CORS_ORIGINS: "*" },
  ])("refuses %j: no node takes so much, or has such a token, and what pages left may not call the API", (env) => {
    expect(messageOf(() => parseConfig({ ...enough, ...env }))).toContain(Object.keys(env).at(-1));
  });

  it("reads any list of well-formed keys back", () => {
    const key = fc.record({
      name: fc.stringMatching(/^[A-Za-z0-9._-]{1,20}$/),
      scopes: fc.uniqueArray(fc.constantFrom(...SCOPES), { minLength: 1 }),
      key: fc.stringMatching(/^[!-+\--~]{1,60}$/), // visible ASCII but the comma; colons too
    });
    fc.assert(
      fc.property(
        fc.uniqueArray(key, { minLength: 1, maxLength: 5, comparator: (a, b) => a.name === b.name || a.key === b.key }),
        (keys) => {
          const text = keys.map(({ name, scopes, key }) => `${name}:${scopes.join("+")}:${key}`).join(",");
          const parsed = parseConfig({ ...enough, EDGE_API_KEYS: text }).keys;
          expect(parsed.map(({ name, key }) => [name, key])).toEqual(keys.map(({ name, key }) => [name, key]));
          for (const [i, { scopes }] of parsed.entries())
            expect(scopes.has("read")).toBe(keys[i]?.scopes.some((scope) => scope !== "pool"));
        },
      ),
    );
  });

  it("never does anything but answer or refuse, whatever the environment holds", () => {
    const env = fc.dictionary(
      fc.constantFrom("EDGE_API_KEYS", "POOL_TOKEN", "EDGE_PORT", "POOL_NODES", "EDGE_MAX_BODY", "EDGE_CORS_ORIGINS", "LOG_LEVEL"),
      fc.string(),
    );
    fc.assert(
      fc.property(env, (env) => {
        try {
          expect(parseConfig(env).keys.length).toBeGreaterThan(0);
        } catch (error) {
          expect(String(error)).toMatch(/^AppError: The edge cannot start:\n {2}/);
        }
      }),
    );
  });
});

describe("a collector of traces", () => {
  const read = (endpoint: string) => parseConfig({ ...enough, OTEL_EXPORTER_OTLP_ENDPOINT: endpoint }).tracing;

  it("is named by its base URL, or none is", () => {
    expect(read("http://127.0.0.1:4318/")).toEqual({ url: "http://127.0.0.1:4318/v1/traces", headers: "" });
    expect(read("")).toBeNull();
  });

  it("is refused where it cannot be one, and not repeated", () => {
    expect(messageOf(() => read("http://me:hunter2@otel.example"))).toMatch(
      /^(?!.*hunter2)[^\n]*\n {2}OTEL_EXPORTER_OTLP_ENDPOINT: expected/s,
    );
  });
});

describe("parseNodeUrl", () => {
  it.each(["ftp://a", "javascript:alert(1)", "file:///etc/passwd", "http://user:pass@a", "http://a?x", "http://a#x", "a", "", "//a"])(
    "refuses %s",
    (text) => {
      expect(parseNodeUrl(text)).toBeNull();
    },
  );
});

function messageOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    return String(error);
  }
  throw new Error("It did not throw");
}
