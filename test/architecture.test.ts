/** Holds the arrows of who may import whom, as a table, and reads every import: static, dynamic, `import()` types and type-only ones. */
import { globSync, readFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { dirname, join, normalize } from "node:path";
import { describe, expect, it } from "vitest";
import { parseAst } from "vitest/node";

const ROOT = join(import.meta.dirname, "..");
const MAX_LINES = { code: 300, tests: 500 };

/** Pool's levels, from lifecycle (`*`: the files directly in pool/) down to page actions. A room sees the levels below its own, never its neighbours. */
const LEVELS = [["*"], ["api", "queue"], ["session"], ["drift"], ["playbook", "agent", "guardrails", "recording"], ["actions"]];
/** Rooms beside the levels, and who sees them. `telemetry`, `llm` and `secrets` are leaves, open to all of pool. */
const SIDE_ROOMS = ["browsers", "store", "volume", "config", "environment"];
const BESIDE: Record<string, string[]> = {
  "*": SIDE_ROOMS,
  api: SIDE_ROOMS,
  queue: ["store", "config"],
  session: SIDE_ROOMS,
  drift: ["store"],
  config: ["environment", "browsers", "guardrails", "recording"], // what they take where the operator says nothing
  environment: ["browsers", "store", "guardrails", "recording"], // what an operator sets of them is read and judged once, at start-up
};
const OUTSIDE: Record<string, string[]> = {
  "*": ["start/make-folder"],
  browsers: ["start/find-chrome"],
  store: ["start/make-folder", "start/kept-file"],
  volume: ["start/make-folder"],
};

/** Room → the rooms that it may import, its own aside. The longest prefix of a path names its room. */
const ARROWS: Record<string, string[] | "anything"> = {
  shared: [],
  edge: ["shared"],
  ...Object.fromEntries(
    [...LEVELS.flat(), ...SIDE_ROOMS].map((room) => {
      const level = LEVELS.findIndex((each) => each.includes(room));
      const below = level < 0 ? [] : LEVELS.slice(level + 1).flat();
      const inPool = [...below, ...(BESIDE[room] ?? []), "telemetry", "llm", "secrets"].map((each) => `pool/${each}`);
      return [`pool/${room}`, ["shared", ...inPool, ...(OUTSIDE[room] ?? [])]];
    }),
  ),
  "pool/telemetry": ["shared"],
  "pool/secrets": ["shared"], // what looks for secrets in a text is asked wherever one leaves
  "pool/llm": ["shared", "pool/telemetry"],
  "start/find-chrome": [], // the pool looks for Chrome in the same places as set-up, which runs before there are packages
  "start/make-folder": ["shared"], // launchers and nodes make the same folders, and say the same of those that cannot be made
  "start/kept-file": ["shared", "start/make-folder"], // the same for the files that are kept in them
  start: ["shared", "start/make-folder", "start/kept-file", "start/find-chrome", "test/fixtures"], // the demo runs against the dashboard that the tests use too
  "test/edge": ["edge", "shared", "test/support", "test/fixtures"],
  "test/shared": ["shared", "test/support"],
  "test/fixtures": ["test/support", "shared"],
  "test/support": "anything",
  test: "anything",
};

/** A library → the rooms it is at home in. `test` may use any; what stands in no row may be imported nowhere. */
const HOMES: Record<string, string[]> = {
  "@electric-sql/pglite": ["pool/store"],
  "@electric-sql/pglite-prepopulatedfs": ["pool/store"],
  tar: ["pool/store"],
  pg: ["pool/store"],
  "pg-boss": ["pool/queue"],
  "puppeteer-core": ["pool/browsers", "pool/actions", "pool/recording"],
  "@puppeteer/browsers": [], // a tool of set-up's, run as a command
  "playwright-core": ["pool/api"], // for its trace viewer, which a node hands to edges
  ai: ["pool/llm", "pool/agent"],
  "@ai-sdk/anthropic": ["pool/llm"],
  "@ai-sdk/google": ["pool/llm"],
  "@ai-sdk/openai": ["pool/llm"],
  "@ai-sdk/openai-compatible": ["pool/llm"],
  ajv: ["pool/agent"],
  turndown: ["pool/actions"],
  yaml: ["pool/playbook"],
  aws4fetch: ["shared"], // nodes write to the bucket and edges read from it: one client, Web standards only
  "prom-client": ["pool/telemetry", "edge"],
  "@opentelemetry/api": ["shared"], // edges and nodes trace by the same code, which is loaded where there is a collector
  "@opentelemetry/core": ["shared"],
  "@opentelemetry/otlp-transformer": ["shared"],
  "@opentelemetry/resources": ["shared"],
  "@opentelemetry/sdk-trace": ["shared"],
  hono: ["edge", "pool/api", "pool/*", "test/fixtures"],
  "@hono/node-server": ["edge", "pool/*", "pool/api", "test/fixtures"],
  zod: ["shared", "edge", "pool"],
  "@std/uuid": ["shared"],
};

type Import = { specifier: string; line: number };
type Source = { path: string; room: string; lines: number; imports: Import[]; exports: { line: number; what: string }[] };
type Syntax = { type?: string; start?: number; [field: string]: unknown };

const files = globSync("{edge,shared,pool,start,test}/**/*.{ts,js}", { cwd: ROOT }).map((path) => path.replaceAll("\\", "/"));
const sources = files.toSorted().map(readSource);

describe("architecture", () => {
  it("has a row for every folder", () => {
    expect(sources.filter(({ room }) => room === "").map(({ path }) => `${path}: its folder stands in no row of ARROWS`)).toEqual([]);
  });

  it("imports along the arrows", () => {
    const wrong = sources.flatMap(({ path, room, imports }) => {
      const allowed = ARROWS[room];
      if (allowed === undefined || allowed === "anything") return [];
      return imports.flatMap(({ specifier, line }) => {
        if (!specifier.startsWith(".") || specifier.endsWith(".json")) return [];
        const target = roomOf(normalize(join(dirname(path), specifier)));
        if (target === room || allowed.includes(target)) return [];
        return [`${path}:${line} imports ${specifier}: ${room} may see ${allowed.join(", ") || "nothing"}; not ${target || "that folder"}`];
      });
    });
    expect(wrong).toEqual([]);
  });

  it("keeps each library in its home", () => {
    const wrong = sources.flatMap(({ path, room, imports }) =>
      imports.flatMap(({ specifier, line }) => {
        if (specifier.startsWith(".") || isBuiltin(specifier) || path.startsWith("test/")) return [];
        const library = libraryOf(specifier);
        const homes = HOMES[library];
        if (homes?.some((home) => room === home || room.startsWith(`${home}/`))) return [];
        return [`${path}:${line} imports ${library}: its home is ${homes?.join(", ") || "not in the table HOMES"}`];
      }),
    );
    expect(wrong).toEqual([]);
  });

  it("keeps node: out of edge and shared, but for the edge's entry points, and writes it out elsewhere", () => {
    const wrong = sources.flatMap(({ path, imports }) =>
      imports.flatMap(({ specifier, line }) => {
        if (!isBuiltin(specifier)) return [];
        if (!specifier.startsWith("node:")) return [`${path}:${line} imports ${specifier}: write node:${specifier}`];
        const webOnly = path.startsWith("shared/") || (path.startsWith("edge/") && !/^edge\/main(-[a-z-]+)?\.ts$/.test(path));
        return webOnly ? [`${path}:${line} imports ${specifier}: Web-standard APIs only, the same file runs on Deno`] : [];
      }),
    );
    expect(wrong).toEqual([]);
  });

  it("imports files by their whole name, and whatever it names exists", () => {
    const known = new Set(files);
    const wrong = sources.flatMap(({ path, imports }) =>
      imports.flatMap(({ specifier, line }) => {
        if (specifier === "" && !path.startsWith("test/"))
          return [`${path}:${line} imports what no reader can know before: write the name out`];
        if (!specifier.startsWith(".") || specifier.endsWith(".json") || known.has(normalize(join(dirname(path), specifier)))) return [];
        return [`${path}:${line} imports ${specifier}: no such file`];
      }),
    );
    expect(wrong).toEqual([]);
  });

  it("has no default exports and no barrel files", () => {
    expect(sources.flatMap(({ path, exports }) => exports.map(({ line, what }) => `${path}:${line} ${what}`))).toEqual([]);
  });

  it("has no file that holds more than one idea can fill", () => {
    const limit = (path: string) => (path.startsWith("test/") ? MAX_LINES.tests : MAX_LINES.code);
    const long = sources.filter(({ path, lines }) => lines > limit(path));
    expect(long.map(({ path, lines }) => `${path} has ${lines} lines of ${limit(path)}: one idea a file`)).toEqual([]);
  });

  it("uses every production dependency, and needs no other", () => {
    const { dependencies } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { dependencies: Record<string, string> };
    const used = new Set(
      sources
        .filter(({ path }) => !path.startsWith("test/") || (path.startsWith("test/fixtures/dashboard/") && !path.endsWith(".test.ts")))
        .flatMap(({ imports }) => imports.map(({ specifier }) => specifier))
        .filter((specifier) => specifier !== "" && !specifier.startsWith(".") && !isBuiltin(specifier))
        .map(libraryOf),
    );
    used.add("node"); // the runtime itself
    expect([...used].toSorted()).toEqual(Object.keys(dependencies).toSorted());
  });
});

function readSource(path: string): Source {
  const text = readFileSync(join(ROOT, path), "utf8");
  const program = parseAst(text, { lang: path.endsWith(".ts") ? "ts" : "js" }) as unknown as { body: Syntax[] };
  const lineAt = (node: Syntax) => text.slice(0, node.start).split("\n").length;
  const imports: Import[] = [];
  visit(program, (node) => {
    const isImport = /^(ImportDeclaration|ExportNamedDeclaration|ExportAllDeclaration|ImportExpression|TSImportType)$/.test(
      node.type ?? "",
    );
    const source = (node.source ?? node.argument) as Syntax | null | undefined;
    if (isImport && source) imports.push({ specifier: String(literalOf(source)), line: lineAt(node) });
  });
  return { path, room: roomOf(path), lines: text.trimEnd().split("\n").length, imports, exports: wrongExports(program.body, lineAt) };
}

/** Calls `see` for every node of the syntax tree. */
function visit(value: unknown, see: (node: Syntax) => void): void {
  if (Array.isArray(value)) for (const each of value) visit(each, see);
  else if (value !== null && typeof value === "object") {
    if ("type" in value) see(value as Syntax);
    for (const each of Object.values(value)) visit(each, see);
  }
}

/** The text of a string literal; "" for anything that is only known when it runs. */
function literalOf(node: Syntax): unknown {
  if (node.type === "TSLiteralType") return literalOf(node.literal as Syntax);
  return node.type === "Literal" && typeof node.value === "string" ? node.value : "";
}

function wrongExports(body: Syntax[], lineAt: (node: Syntax) => number) {
  const wrong: { line: number; what: string }[] = [];
  for (const node of body) {
    const names = ((node.specifiers as { exported?: { name?: string } }[]) ?? []).map(({ exported }) => exported?.name);
    if (node.type === "ExportDefaultDeclaration" || names.includes("default")) {
      wrong.push({ line: lineAt(node), what: "has a default export: give it a name" });
    }
    if (node.type === "ExportAllDeclaration")
      wrong.push({ line: lineAt(node), what: "exports all of another file: import from where things are" });
  }
  if (body.length > 0 && body.every((node) => /^Export(Named|All)Declaration$/.test(node.type ?? "") && node.source)) {
    wrong.push({ line: 1, what: "is a barrel: it only passes on what others export" });
  }
  return wrong;
}

/** `pool/store/runs.ts` → `pool/store`, `pool/main.ts` → `pool/*`; "" when no row has it. */
function roomOf(path: string): string {
  const bare = path.replaceAll("\\", "/").replace(/\.(ts|js)$/, "");
  const direct = `${dirname(bare)}/*`;
  if (direct in ARROWS && !(bare in ARROWS)) return direct;
  const rooms = Object.keys(ARROWS).filter((room) => bare === room || bare.startsWith(`${room}/`));
  return rooms.toSorted((a, b) => b.length - a.length)[0] ?? "";
}

/** `hono/cookie` → `hono`, `@std/uuid/x` → `@std/uuid`. */
const libraryOf = (specifier: string): string =>
  specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
