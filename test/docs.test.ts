/** What the documents say holds: their links, their playbooks, their variables, their commands. */
import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { DEFAULT_BLOCKED } from "../pool/guardrails/defaults.ts";
import { bindPlaybook } from "../pool/playbook/bind.ts";
import { parsePlaybook } from "../pool/playbook/load.ts";
import { RecordingLimitsSchema } from "../pool/recording/limits.ts";
import { ERROR_CODES } from "../shared/errors.ts";

const ROOT = join(import.meta.dirname, "..");
const read = (path: string) => readFileSync(join(ROOT, path), "utf8");
const documents = [...globSync("*.md", { cwd: ROOT }), ...globSync("{docs,edge,pool,shared,test}/**/*.md", { cwd: ROOT })].toSorted();
const credentialNames = ["username", "password"];

describe("documents", () => {
  it.each(documents)("%s links to what exists", (path) => {
    const links = [...read(path).matchAll(/\]\(([^)#\s]+)(#[^)]*)?\)/g)].map(([, target = ""]) => target);
    const local = links.filter((target) => !/^[a-z]+:/.test(target));
    expect(local.filter((target) => !existsSync(join(ROOT, dirname(path), target)))).toEqual([]);
  });

  it("shows playbooks that are valid", () => {
    const blocks = documents.flatMap((path) => [...read(path).matchAll(/```ya?ml\n(.*?)```/gs)].map(([, text = ""]) => ({ path, text })));
    const playbooks = blocks.filter(({ text }) => /^steps:/m.test(text) && /^id:/m.test(text));
    expect(playbooks.length).toBeGreaterThan(0);
    for (const { path, text } of playbooks) expect(() => parsePlaybook(text), `${path}:\n${text}`).not.toThrow();
  });

  it("names every limit of a recording that can be set, and no other", () => {
    const section = /## Limits\n(.*?)\n## |## Limits\n(.*)$/s.exec(read("docs/recording.md"))?.[0] ?? "";
    const rows = section.split("\n").filter((line) => line.startsWith("| `"));
    const named = rows.flatMap((row) => [...(row.split("|")[1] ?? "").matchAll(/`([a-z_]+)`/g)].map(([, name]) => name));
    expect(named.toSorted()).toEqual(Object.keys(RecordingLimitsSchema.in.shape).toSorted());
  });

  it("explains every environment variable, and no other", () => {
    const notVariables = ["CLOCK_LIMITS_S", "LOG_LEVELS", ...Object.keys(ERROR_CODES)];
    const names = (text: string) =>
      new Set(text.match(/\b(EDGE|POOL|CHROME|DATABASE|VOLUME|SECRETS|RETENTION|LLM|LOG|DATA|OTEL)_[A-Z_]+\b/g)).difference(
        new Set(notVariables),
      );
    const readBy = names(read("pool/environment.ts") + read("pool/main.ts") + read("edge/config.ts") + read("shared/otlp-tracing.ts"));
    expect([...names(read("docs/configuration.md"))].toSorted()).toEqual([...readBy].toSorted());
  });

  it("lists the hosts that are blocked by default", () => {
    const [, list = ""] = /### Hosts blocked by default.*?```text\n(.*?)```/s.exec(read("docs/playbooks.md")) ?? [];
    expect(list.trim().split(/\s+/)).toEqual(DEFAULT_BLOCKED);
  });

  it("names only npm scripts that there are", () => {
    const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> };
    const named = documents.flatMap((path) => [...read(path).matchAll(/`?npm run ([a-z:]+)/g)].map(([, name = ""]) => name));
    expect(named.filter((name) => !(name in scripts))).toEqual([]);
  });
});

describe("example playbooks", () => {
  it.each(globSync("examples/*.yaml", { cwd: ROOT }))("%s can start with nothing but what its directive says", (path) => {
    const playbook = parsePlaybook(read(path));
    expect(`examples/${playbook.id}.yaml`).toBe(path);
    const bound = bindPlaybook(playbook, { directive: "cancel order 12345 at http://127.0.0.1:9000", credentialNames });
    expect(bound.start_url).toMatch(/^http:\/\/127\.0\.0\.1:9000\/login/);
  });
});
