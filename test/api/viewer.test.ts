import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { describe, expect, it } from "vitest";
import { viewerRoutes } from "../../pool/api/viewer.ts";
import { ViewerSchema } from "../../shared/viewer.ts";

const packageFile = (name: string) =>
  readFileSync(
    createRequire(import.meta.url)
      .resolve("playwright-core/package.json")
      .replace("package.json", name),
    "utf8",
  );

describe("the trace viewer that a node hands out", async () => {
  const { version, files } = ViewerSchema.parse(await (await viewerRoutes().request("/")).json());
  const text = (name: string) => Buffer.from(files.find((file) => file.name === name)?.base64 ?? "", "base64").toString();

  it("is whole: each file that its pages and scripts name is there, with a type of its own", () => {
    const names = new Set(files.map(({ name }) => name));
    for (const page of ["index.html", "snapshot.html"]) {
      const named = [...text(page).matchAll(/(?:src|href)="\.\/([^"]+)"/g)].map(([, name = ""]) => name);
      expect(named.filter((name) => !names.has(name))).toEqual([]);
      expect(named.length).toBeGreaterThan(0);
    }
    expect([...names]).toEqual(expect.arrayContaining(["sw.bundle.js"]));
    expect(files.filter(({ type }) => type === "application/octet-stream")).toEqual([]);
  });

  it("has no UI mode and no terminal, which no trace needs", () => {
    expect(files.filter(({ name }) => /uiMode|xterm/i.test(name))).toEqual([]);
    for (const { name } of files) expect(text(name)).not.toMatch(/uiMode\.|xtermModule/);
  });

  it("is the one that NOTICE speaks of, with the libraries that it names", () => {
    const notice = readFileSync(new URL("../../NOTICE", import.meta.url), "utf8");
    expect(notice).toContain(`playwright-core ${version}.`);
    expect(notice).toContain(packageFile("NOTICE").trim());
    const scripts = files
      .filter(({ name }) => name.endsWith(".js"))
      .map(({ name }) => text(name))
      .join("\n");
    const [, react] = /\.version=`(1\d\.\d+\.\d+)`/.exec(scripts) ?? [];
    const [, codeMirror] = /\.version=`(5\.\d+\.\d+)`/.exec(scripts) ?? [];
    expect(notice).toContain(`scheduler ${react}`);
    expect(notice).toContain(`CodeMirror ${codeMirror}`);
  });
});
