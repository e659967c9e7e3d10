import { describe, expect, it } from "vitest";
import { notUsedYet, readConfig } from "../pool/config.ts";

describe("a node's environment", () => {
  it("is warned of, variable by variable, where it sets what does nothing yet", () => {
    const models = { LLM_MODEL: "openai:m", LLM_BASE_URL: "http://x", LLM_API_KEY: "secret", UTILITY_MODEL: "openai:m" };
    const warnings = notUsedYet({ ...models, OTEL_EXPORTER_OTLP_ENDPOINT: "http://x", POOL_SLOTS: "3" });
    expect(warnings.map((text) => text.split(" ")[0])).toEqual([...Object.keys(models), "OTEL_EXPORTER_OTLP_ENDPOINT"]);
    expect(warnings.join()).not.toContain("secret");
    expect(notUsedYet({ LLM_MODEL: "" })).toEqual([]);
  });

  it("names every variable that is wrong, and repeats no value", () => {
    const wrong = { POOL_PORT: "70000", CHROME_SANDBOX: "hunter2", DATABASE_URL: "mysql://hunter2" };
    const read = () => readConfig(wrong);
    expect(read).toThrow(expect.objectContaining({ code: "VALIDATION_FAILED" }));
    try {
      read();
    } catch (error) {
      const { issues } = (error as { details: { issues: { path: string; message: string }[] } }).details;
      expect(issues.map(({ path }) => path).toSorted()).toEqual(["CHROME_SANDBOX", "DATABASE_URL", "POOL_PORT", "POOL_TOKEN"]);
      expect(JSON.stringify(issues)).not.toContain("hunter2");
    }
  });
});
