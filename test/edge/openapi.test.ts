import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseConfig } from "../../edge/config.ts";
import { type Edge, openEdge } from "../../edge/edge.ts";
import { type Endpoint, errorsOf } from "../../edge/endpoint.ts";
import { connectOnNode } from "../../edge/main-node-connect.ts";
import type { OpenApi } from "../../edge/openapi.ts";
import { ERROR_CODES } from "../../shared/errors.ts";
import { edgeEnv } from "../support/edge.ts";

/** The table of ARCHITECTURE.md: method and path of every public route. */
const CONTRACT = [
  "POST /runs",
  "GET /runs",
  "GET /runs/{run_id}",
  "DELETE /runs/{run_id}",
  "GET /runs/{run_id}/stream",
  "POST /runs/{run_id}/stop",
  "GET /runs/{run_id}/recording/manifest",
  "GET /runs/{run_id}/recording/trace",
  "GET /runs/{run_id}/recording/screenshots/{name}",
  "GET /runs/{run_id}/recording/files/{path}",
  "GET /runs/{run_id}/recording/viewer",
  "GET /trace-viewer/run",
  "GET /trace-viewer/run/trace",
  "GET /trace-viewer/run/events",
  "GET /trace-viewer",
  "GET /trace-viewer/",
  "GET /trace-viewer/{path}",
  "GET /playbooks",
  "GET /playbooks/{id}",
  "GET /playbooks/{id}/health",
  "GET /playbooks/{id}/proposals",
  "POST /playbooks/{id}/proposals/{proposal_id}/accept",
  "POST /playbooks/{id}/proposals/{proposal_id}/reject",
  "GET /playbooks/{id}/versions",
  "POST /playbooks/{id}/rollback",
  "GET /pool/nodes",
  "GET /pool/nodes/{node_id}",
  "POST /pool/nodes/{node_id}/drain",
  "POST /pool/nodes/{node_id}/resume",
  "GET /pool/nodes/{node_id}/health",
  "GET /pool/scale-in",
  "GET /pool/browsers",
  "GET /pool/browsers/{browser_id}",
  "POST /pool/browsers/{browser_id}/kill",
  "GET /pool/sessions",
  "GET /pool/sessions/{run_id}",
  "POST /pool/sessions/{run_id}/kill",
  "GET /pool/queue",
  "GET /pool/audit",
  "POST /pool/browsers/{browser_id}/recycle",
  "GET /healthz",
  "GET /readyz",
  "GET /metrics",
  "GET /openapi.json",
  "GET /docs",
];
const OPEN = [
  "GET /healthz",
  "GET /readyz",
  "GET /openapi.json",
  "GET /docs",
  "GET /trace-viewer/run",
  "GET /trace-viewer",
  "GET /trace-viewer/",
  "GET /trace-viewer/{path}",
];

let edge: Edge;
let document: OpenApi;
beforeAll(async () => {
  edge = openEdge(parseConfig(edgeEnv(["http://127.0.0.1:1"])), { connect: connectOnNode });
  document = (await (await edge.app.request("/openapi.json")).json()) as OpenApi;
});
afterAll(() => edge[Symbol.asyncDispose]());

const operations = () =>
  Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ name: `${method.toUpperCase()} ${path}`, operation })),
  );
const endpointOf = (name: string): Endpoint => {
  const found = [...edge.endpoints].find(({ method, path }) => `${method} ${path}` === name);
  if (!found) throw new Error(`No endpoint ${name}`);
  return found;
};

describe("the OpenAPI document", () => {
  it("has every route of the contract, and no other", () => {
    expect(document.openapi).toBe("3.1.0");
    expect(
      operations()
        .map(({ name }) => name)
        .sort(),
    ).toEqual([...CONTRACT].sort());
  });

  it("says of each route its answers and every error it can give, by status and code", () => {
    for (const { name, operation } of operations()) {
      const endpoint = endpointOf(name);
      const expected = new Set([...Object.keys(endpoint.answers), ...errorsOf(endpoint).map((code) => String(ERROR_CODES[code].status))]);
      expect([name, Object.keys(operation.responses).sort()]).toEqual([name, [...expected].sort()]);
      for (const code of errorsOf(endpoint))
        expect(operation.responses[String(ERROR_CODES[code].status)]?.description).toContain(`\`${code}\``);
      expect(operation.summary).not.toBe("");
    }
  });

  it("asks a key of every route that is not open, and names the scope", () => {
    for (const { name, operation } of operations()) {
      if (OPEN.includes(name)) expect([name, operation.security]).toEqual([name, []]);
      else if (endpointOf(name).scope === "link") expect([name, operation.security]).toEqual([name, [{ link: [] }]]);
      else expect([name, operation.security]).toEqual([name, [{ key: [endpointOf(name).scope] }]]);
    }
  });

  it("declares every parameter of its paths, and gives each operation a name of its own", () => {
    const ids = operations().map(({ operation }) => operation.operationId);
    expect(new Set(ids).size).toBe(ids.length);
    for (const { name, operation } of operations()) {
      const inPath = [...name.matchAll(/\{(\w+)\}/g)].map(([, parameter]) => parameter);
      expect(operation.parameters.filter((parameter) => parameter.in === "path").map((parameter) => parameter.name)).toEqual(inPath);
    }
  });

  it("refers to nothing that is not there", () => {
    const schemas = (document.components as { schemas: Record<string, unknown> }).schemas;
    const references = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)].map(([, reference]) => reference ?? "");
    expect(references.length).toBeGreaterThan(30);
    for (const reference of references) {
      expect(reference).toMatch(/^#\/components\/schemas\//);
      expect(schemas).toHaveProperty([reference.replace("#/components/schemas/", "")]);
    }
    for (const name of ["CreateRun", "Run", "Event", "Manifest", "ErrorBody", "Node", "Playbook"])
      expect(Object.keys(schemas)).toContain(name);
  });

  it("describes what may be posted as the edge checks it", () => {
    const create = (
      document.components as {
        schemas: Record<string, { properties: Record<string, unknown>; additionalProperties: boolean; required?: string[] }>;
      }
    ).schemas.CreateRun;
    expect(create?.additionalProperties).toBe(false);
    expect(create?.required ?? []).toEqual([]);
    expect(create?.properties.timeout_seconds).toMatchObject({ type: "integer", minimum: 1, maximum: 3600, default: 600 });
  });
});

describe("the reference page", () => {
  it("loads nothing, runs nothing, and links only to what is on it", async () => {
    const response = await edge.app.request("/docs");
    const html = await response.text();
    expect(response.headers.get("content-type")).toBe("text/html; charset=utf-8");
    expect(response.headers.get("content-security-policy")).toMatch(
      /^default-src 'none'; style-src 'sha256-[A-Za-z0-9+/]{43}='; base-uri 'none'/,
    );
    expect(html).not.toMatch(/<script|<img|<link|style="|https?:\/\/|\son\w+=/);
    for (const [, id] of html.matchAll(/href="#([^"]+)"/g)) expect(html).toContain(`id="${id}"`);
    for (const name of CONTRACT) expect(html).toContain(`<code>${name.split(" ")[1]}</code>`);
  });

  it("is allowed its own style, by its hash", async () => {
    const response = await edge.app.request("/docs");
    const style = /<style>([\s\S]*)<\/style>/.exec(await response.text())?.[1] ?? "";
    const digest = Buffer.from(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(style))).toString("base64");
    expect(response.headers.get("content-security-policy")).toContain(digest);
  });
});
