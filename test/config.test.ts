import { describe, expect, it } from "vitest";
import { defaultProfileMib } from "../pool/browsers/memory-profile.ts";
import { readConfig } from "../pool/config.ts";
import { RECORDING_LIMITS } from "../pool/recording/limits.ts";

describe("a node's environment", () => {
  it.each([
    ["http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/traces"],
    ["https://otel.example/base/", "https://otel.example/base/v1/traces"],
    ["", null],
  ])("has traces posted below the base URL of the collector: %j → %j", (given, url) => {
    const env = { POOL_TOKEN: "token-0123", OTEL_EXPORTER_OTLP_ENDPOINT: given, OTEL_EXPORTER_OTLP_HEADERS: "a=b" };
    expect(readConfig(env).tracing).toEqual(url && { url, headers: "a=b" });
  });

  it.each(["hunter2:4318", "ftp://hunter2", "http://me:hunter2@otel.example", "https://otel.example/?key=hunter2"])(
    "refuses a collector that cannot be one, and does not repeat it: %s",
    (OTEL_EXPORTER_OTLP_ENDPOINT) => {
      const read = () => readConfig({ POOL_TOKEN: "token-0123", OTEL_EXPORTER_OTLP_ENDPOINT });
      const issues = [{ path: "OTEL_EXPORTER_OTLP_ENDPOINT", message: expect.stringMatching(/^Expected http:.*without user/) }];
      expect(read).toThrow(expect.objectContaining({ code: "VALIDATION_FAILED", details: { issues } }));
      expect(read).toThrow(expect.not.objectContaining({ message: expect.stringContaining("hunter2") }));
    },
  );

  it.each([
    [{ LLM_MODEL: "gpt" }, ["LLM_MODEL"]],
    [{ LLM_MODEL: "openai:m" }, ["LLM_API_KEY"]],
    [{ LLM_MODEL: "openai-compatible:m" }, ["LLM_BASE_URL"]],
    [{ LLM_API_KEY: "hunter2" }, ["LLM_API_KEY"]],
    [{ LLM_MODEL: "openai:m", LLM_API_KEY: "hunter2", UTILITY_MODEL: "google:m" }, ["UTILITY_MODEL"]],
    [{ LLM_PRICES: "openai:m=cheap" }, ["LLM_PRICES"]],
  ])("says what a model needs: %j", (given, paths) => {
    const read = () => readConfig({ POOL_TOKEN: "token-0123", ...given });
    expect(read).toThrow(expect.objectContaining({ details: { issues: paths.map((path) => expect.objectContaining({ path })) } }));
    expect(read).toThrow(expect.not.objectContaining({ message: expect.stringContaining("hunter2") }));
  });

  it("lets runs share a Chrome where it says so, and only in Chromes of its own", () => {
    const read = (given: Record<string, string>) => readConfig({ POOL_TOKEN: "token-0123", ...given });
    expect([read({}).isolation, read({ POOL_ISOLATION: "context" }).isolation]).toEqual(["process", "context"]);
    const issues = [expect.objectContaining({ path: "POOL_ISOLATION" })];
    const remote = { CHROME_WS_ENDPOINTS: "ws://chrome:9222", POOL_EGRESS_ADVERTISE: "none" };
    const wrongOnes: Record<string, string>[] = [
      { POOL_ISOLATION: "contexts" },
      { ...remote, POOL_ISOLATION: "context" },
      { ...remote, POOL_ISOLATION: "process" }, // it would promise what a remote Chrome does not give
    ];
    for (const wrong of wrongOnes)
      expect(() => read(wrong)).toThrow(expect.objectContaining({ code: "VALIDATION_FAILED", details: { issues } }));
  });

  it("bounds a Chrome that runs share, by its slots unless told otherwise; where there is none, there is nothing to bound", () => {
    const read = (given: Record<string, string>) =>
      readConfig({ POOL_TOKEN: "token-0123", POOL_ISOLATION: "context", POOL_SLOTS: "4", ...given });
    const bounds = ["", "0", "700"].map((mb) => read({ POOL_SHARED_CHROME_MAX_MB: mb }).sharedMaxBytes);
    expect(bounds).toEqual([3_000_000_000, 0, 700_000_000]);
    const issues = [expect.objectContaining({ path: "POOL_SHARED_CHROME_MAX_MB" })];
    for (const [mb, isolation] of [
      ["much", "context"],
      ["700", "process"],
    ] as const) {
      const wrong = { POOL_SHARED_CHROME_MAX_MB: mb, POOL_ISOLATION: isolation };
      expect(() => read(wrong)).toThrow(expect.objectContaining({ details: { issues } }));
    }
  });

  it("says of a token that is too short that it is", () => {
    const issues = [{ path: "POOL_TOKEN", message: "Expected at least 8 characters" }];
    expect(() => readConfig({ POOL_TOKEN: "short" })).toThrow(expect.objectContaining({ details: { issues } }));
  });

  it("keeps a profile in memory of some size, or on disk", () => {
    const read = (mb: string) => readConfig({ POOL_TOKEN: "token-0123", POOL_PROFILE_MB: mb }).profileMib;
    expect(["0", "16"].map(read)).toEqual([0, 16]);
    expect(read("")).toBeGreaterThanOrEqual(16);
    const gigabyte = 1024 ** 3;
    expect([2, 24, 0.1].map((each) => defaultProfileMib(each * gigabyte, 3))).toEqual([170, 1024, 16]); // all that a node may have at once: a quarter of it
    const issues = [expect.objectContaining({ path: "POOL_PROFILE_MB" })];
    for (const wrong of ["15", "1", "-1", "1g"]) expect(() => read(wrong)).toThrow(expect.objectContaining({ details: { issues } }));
  });

  it("takes the operator's guardrails as JSON, and says what is wrong with them", () => {
    const read = (POOL_GUARDRAILS: string) => readConfig({ POOL_TOKEN: "token-0123", POOL_GUARDRAILS }).guardrails;
    expect(read('{"max_urls_visited": 20, "blocked_domains": ["@default", "Shop.Example"]}')).toEqual({
      ...{ max_urls_visited: 20, blocked_domains: ["@default", "shop.example"] },
    });
    for (const wrong of ["hunter2", "[]", '{"max_urls": 2}', '{"max_urls_visited": 0}', '{"stuck_repeat_hint": 9}'])
      expect(() => read(wrong)).toThrow(expect.objectContaining({ code: "VALIDATION_FAILED" }));
    const host = expect.objectContaining({
      path: "POOL_GUARDRAILS",
      message: expect.stringMatching(/^blocked_domains\[1\]: "\*\.10\.0\.0\.1" is not a host/),
    });
    expect(() => read('{"blocked_domains": ["x.test", "*.10.0.0.1"]}')).toThrow(expect.objectContaining({ details: { issues: [host] } }));
    expect(() => read("hunter2")).toThrow(expect.not.objectContaining({ message: expect.stringContaining("hunter2") }));
  });

  it("takes limits of recordings as JSON, fills in the others, and says what is wrong with them", () => {
    const read = (POOL_RECORDING: string) => readConfig({ POOL_TOKEN: "token-0123", POOL_RECORDING }).recording;
    expect(read('{"film_per_second": 0.5, "trace_bytes": 1048576}')).toEqual({
      ...RECORDING_LIMITS,
      filmPerSecond: 0.5,
      traceBytes: 1_048_576,
    });
    expect(read("{}")).toEqual(RECORDING_LIMITS);
    for (const [wrong, message] of [
      ["hunter2", /^Expected JSON/],
      ["[]", /^Expected an object, not a list/],
      ['{"film": 2}', /^film: Unknown field/],
      ['{"trace_bytes": 5000000000}', /^trace_bytes: /],
      ['{"film_per_second": "2"}', /^film_per_second: /],
    ] as const) {
      const issues = [expect.objectContaining({ path: "POOL_RECORDING", message: expect.stringMatching(message) })];
      expect(() => read(wrong)).toThrow(expect.objectContaining({ code: "VALIDATION_FAILED", details: { issues } }));
    }
  });

  /** Those that are named, in the order of the alphabet, and what is said of them. */
  const faults = (given: Record<string, string>): [string[], string] => {
    try {
      readConfig(given);
      return [[], ""];
    } catch (error) {
      const { issues } = (error as { details: { issues: { path: string; message: string }[] } }).details;
      return [issues.map(({ path }) => path).toSorted(), JSON.stringify(issues)];
    }
  };

  it("names every variable that is wrong, alone or beside others, and repeats no value", () => {
    const wrong = {
      ...{ POOL_HOST: "0.0.0.0", POOL_PORT: "70000", POOL_TOKEN: "hunter2", POOL_SHARED_CHROME_MAX_MB: "5" },
      ...{ POOL_PRIVATE_NETWORKS: "10.0.0.0/8, 10.0.0.1/8, x", DATABASE_URL: "mysql://hunter2", VOLUME_URL: "s3://b/p" },
      ...{ AWS_ACCESS_KEY_ID: "id", CHROME_WS_ENDPOINTS: "ws://chrome:9222,hunter2", CHROME_SANDBOX: "hunter2" },
      ...{ LLM_MODEL: "openai:m", UTILITY_MODEL: "google:m" },
    };
    const [names, said] = faults(wrong);
    expect(names).toEqual([
      ...["AWS_SECRET_ACCESS_KEY", "CHROME_SANDBOX", "CHROME_WS_ENDPOINTS[1]", "DATABASE_URL", "LLM_API_KEY", "POOL_EGRESS_ADVERTISE"],
      ...["POOL_PORT", "POOL_PRIVATE_NETWORKS[1]", "POOL_PRIVATE_NETWORKS[2]", "POOL_PUBLIC_URL", "POOL_SHARED_CHROME_MAX_MB"],
      ...["POOL_TOKEN", "SECRETS_KEY", "UTILITY_MODEL", "VOLUME_URL"],
    ]);
    expect(said).not.toContain("hunter2");
  });

  it("does not call missing what is there and wrong", () => {
    const wrong = { POOL_TOKEN: "two words", POOL_HOST: "::", POOL_PUBLIC_URL: "x", DATABASE_URL: "x", SECRETS_KEY: "short" };
    const remote = { CHROME_WS_ENDPOINTS: "x", POOL_EGRESS_ADVERTISE: "10.0.0.1:80" };
    const [names, said] = faults({ ...wrong, ...remote });
    expect(names).toEqual(
      ["CHROME_WS_ENDPOINTS[0]", ...Object.keys({ ...wrong, ...remote })]
        .filter((name) => !/^(CHROME.*S|POOL_HOST)$/.test(name))
        .toSorted(),
    );
    expect(said).not.toContain("Required");
  });

  it.each([
    ["file:///var/runs%20of%20ours", { dir: "/var/runs of ours" }],
    ["file://localhost/var/runs", { dir: "/var/runs" }],
    ["file:runs", null],
    ["file://elsewhere/runs", null],
    ["file:///%zz", null],
  ])("takes the volume %s for %j", (VOLUME_URL, volume) => {
    const given = { POOL_TOKEN: "token-0123", VOLUME_URL };
    if (volume) expect(readConfig(given).volume).toEqual(volume);
    else expect(faults(given)[0]).toEqual(["VOLUME_URL"]);
  });
});
