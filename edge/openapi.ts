/** The OpenAPI 3.1 document, written from the endpoints and the schemas they check by. */
import { z } from "zod";
import { ERROR_CODES, ErrorBodySchema, type ErrorCode } from "../shared/errors.ts";
import { RunEventSchema } from "../shared/event.ts";
import { type Content, type Endpoint, errorsOf } from "./endpoint.ts";

type Json = Record<string, unknown>;
export type OpenApi = { openapi: "3.1.0"; info: Json; tags: Json[]; paths: Record<string, Record<string, Operation>>; components: Json };
export type Operation = {
  operationId: string;
  summary: string;
  description: string;
  tags: string[];
  security: Json[];
  parameters: Json[];
  requestBody?: Json;
  responses: Record<string, { description: string; headers?: Json; content?: Json }>;
};

export function createOpenApi(endpoints: readonly Endpoint[]): OpenApi {
  const schemas = createSchemas();
  schemas.of(RunEventSchema); // the data of a stream, which no answer names
  const errorBody = schemas.of(ErrorBodySchema);
  const paths: OpenApi["paths"] = {};
  for (const each of endpoints) {
    paths[each.path] ??= {};
    (paths[each.path] as Record<string, Operation>)[each.method.toLowerCase()] = operation(each, schemas, errorBody);
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "Understudy",
      version: "1",
      description: "Runs browser playbooks on a pool of Chrome nodes. Every run is followed as a stream of events and leaves a trace.",
    },
    tags: [...new Set(endpoints.map(tagOf))].map((name) => ({ name })),
    paths,
    components: {
      schemas: schemas.all,
      securitySchemes: {
        key: { type: "http", scheme: "bearer", description: "An API key. Its scopes are read, runs (which implies read) and pool" },
        link: {
          type: "http",
          scheme: "bearer",
          description: "What stands behind `#` in a viewer link: good for one run's trace, for a while",
        },
      },
    },
  };
}

function operation(endpoint: Endpoint, schemas: Schemas, errorBody: Json): Operation {
  const { method, path, scope, summary, description, body, answers } = endpoint;
  const responses: Operation["responses"] = {};
  for (const [status, content] of Object.entries(answers)) responses[status] = answer(content, schemas);
  for (const [status, codes] of byStatus(errorsOf(endpoint))) {
    const text = codes.map((code) => `\`${code}\`: ${ERROR_CODES[code].meaning}`).join("\n\n");
    responses[status] = { description: text, content: { "application/json": { schema: errorBody } } };
  }
  return {
    operationId: operationId(method, path),
    summary,
    description: [description, accessOf(scope)].filter(Boolean).join("\n\n"),
    tags: [tagOf(endpoint)],
    security: scope === null ? [] : scope === "link" ? [{ link: [] }] : [{ key: [scope] }],
    parameters: [...pathParameters(path), ...queryParameters(endpoint), ...headerParameters(endpoint)],
    ...(body && { requestBody: { required: true, content: { "application/json": { schema: schemas.of(body) } } } }),
    responses,
  };
}

function accessOf(scope: Endpoint["scope"]): string {
  if (scope === null) return "Open to everybody.";
  return scope === "link" ? "Needs a link to this trace as the token, and takes no key." : `Needs the scope \`${scope}\`.`;
}

function answer({ description, schema, mediaType = "application/json", headers }: Content, schemas: Schemas) {
  const hasBody = schema !== undefined || mediaType !== "application/json";
  return {
    description,
    ...(headers && {
      headers: Object.fromEntries(Object.entries(headers).map(([name, text]) => [name, { description: text, schema: { type: "string" } }])),
    }),
    ...(hasBody && { content: { [mediaType]: schema ? { schema: schemas.of(schema) } : {} } }),
  };
}

function byStatus(codes: readonly ErrorCode[]): Map<number, ErrorCode[]> {
  const groups = new Map<number, ErrorCode[]>();
  for (const code of codes) {
    const status = ERROR_CODES[code].status ?? 500;
    groups.set(status, [...(groups.get(status) ?? []), code]);
  }
  return groups;
}

const pathParameters = (path: string): Json[] =>
  [...path.matchAll(/\{([a-z_]+)\}/g)].map(([, name]) => ({
    name,
    in: "path",
    required: true,
    schema: name === "run_id" ? { type: "string", format: "uuid" } : { type: "string" },
  }));

function queryParameters({ query }: Endpoint): Json[] {
  if (!query) return [];
  const { properties = {}, required = [] } = z.toJSONSchema(query, { io: "input", override: plainer });
  return Object.entries(properties).map(([name, schema]) => ({ name, in: "query", required: required.includes(name), schema }));
}

const headerParameters = ({ headers = {} }: Endpoint): Json[] =>
  Object.entries(headers).map(([name, description]) => ({ name, in: "header", required: false, description, schema: { type: "string" } }));

/** `GET /runs/{run_id}/stream` → `getRunsStream`, `GET /trace-viewer/` → `getTraceViewerIndex`. */
const operationId = (method: string, path: string): string =>
  method.toLowerCase() +
  path
    .replace(/\/$/, "/index")
    .split("/")
    .filter((part) => part !== "")
    .map((part) => (part.startsWith("{") ? (path.endsWith(part) ? "One" : "") : part))
    .flatMap((part) => part.split(/[._-]/))
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join("");

export const tagOf = ({ path }: Endpoint): string => {
  if (path.includes("/recording/") || path.startsWith("/trace-viewer")) return "Recordings";
  const [, first = ""] = path.split("/");
  return { runs: "Runs", playbooks: "Playbooks", pool: "Pool" }[first] ?? "Edge";
};

type Schemas = { all: Record<string, Json>; of(schema: z.ZodType): Json };

/** Schemas with an id become components. All are shown as what may be sent: an answer may grow fields that its schema does not name. */
function createSchemas(): Schemas {
  const all: Record<string, Json> = {};
  return {
    all,
    of(schema) {
      const { $schema: _, $defs, ...own } = z.toJSONSchema(schema, { io: "input", unrepresentable: "any", override: plainer }) as Json;
      Object.assign(all, toComponents($defs ?? {}));
      return toComponents(own) as Json;
    },
  };
}

/** zod spells out what a format or an integer means anyway; a reader is better off without. */
function plainer({ jsonSchema }: { jsonSchema: z.core.JSONSchema.BaseSchema }): void {
  if (jsonSchema.format) delete jsonSchema.pattern;
  if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
  if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
}

const toComponents = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value), (key, inner) =>
    key === "$ref" && typeof inner === "string" ? inner.replace("#/$defs/", "#/components/schemas/") : inner,
  );
