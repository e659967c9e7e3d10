/** A collector of traces that speaks OTLP/HTTP in JSON, over real HTTP: keeps what it is sent, and refuses on purpose. */
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";

export type SentSpan = {
  service: string;
  name: string;
  traceId: string;
  spanId: string;
  /** "" of a root. */
  parentId: string;
  kind: number;
  fields: Record<string, string | number | boolean>;
  /** The code of its error. */
  error: string | null;
  links: { traceId: string; spanId: string }[];
  startMs: number;
  endMs: number;
};

export type Collector = AsyncDisposable & {
  url: string;
  /** Bodies as they came, and the heads before them. */
  bodies: string[];
  heads: IncomingHttpHeaders[];
  spans: SentSpan[];
  /** Answers that come before its 200s; null: none, the request is left waiting. */
  refusals: (number | null)[];
  /** Resolves when what was sent is enough. */
  until(enough: (spans: SentSpan[]) => boolean): Promise<SentSpan[]>;
  untilAsked(times: number): Promise<void>;
};

type Value = { stringValue?: string; intValue?: number | string; doubleValue?: number; boolValue?: boolean };
type Attributes = { key: string; value: Value }[];
type WireSpan = {
  name: string;
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  kind: number;
  attributes: Attributes;
  status: { code: number; message?: string };
  links?: { traceId: string; spanId: string }[];
  startTimeUnixNano: string;
  endTimeUnixNano: string;
};
type Body = { resourceSpans: { resource: { attributes: Attributes }; scopeSpans: { spans: WireSpan[] }[] }[] };

const ERROR = 2;

export async function openCollector(): Promise<Collector> {
  const waiting = new Set<() => void>();
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString();
    opened.heads.push(request.headers);
    const refusal = opened.refusals.shift();
    if (refusal === undefined) {
      opened.bodies.push(text);
      opened.spans.push(...spansIn(JSON.parse(text) as Body));
      response.writeHead(200, { "Content-Type": "application/json" }).end("{}");
    } else if (refusal !== null) response.writeHead(refusal).end();
    for (const look of waiting) look();
  });
  const when = (holds: () => boolean): Promise<void> =>
    new Promise((resolve) => {
      const look = () => {
        if (!holds()) return;
        waiting.delete(look);
        resolve();
      };
      waiting.add(look);
      look();
    });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
  const opened: Collector = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    bodies: [],
    heads: [],
    spans: [],
    refusals: [],
    until: async (enough) => {
      await when(() => enough(opened.spans));
      return opened.spans;
    },
    untilAsked: (times) => when(() => opened.heads.length >= times),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
    },
  };
  return opened;
}

const fieldsOf = (attributes: Attributes): SentSpan["fields"] =>
  Object.fromEntries(
    attributes.map(({ key, value: { stringValue, boolValue, intValue, doubleValue } }) => [
      key,
      stringValue ?? boolValue ?? Number(intValue ?? doubleValue),
    ]),
  );

const spansIn = ({ resourceSpans }: Body): SentSpan[] =>
  resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap(({ spans }) =>
      spans.map((span) => ({
        service: String(fieldsOf(resource.attributes)["service.name"]),
        name: span.name,
        traceId: span.traceId,
        spanId: span.spanId,
        parentId: span.parentSpanId ?? "",
        kind: span.kind,
        fields: fieldsOf(span.attributes),
        error: span.status.code === ERROR ? (span.status.message ?? "") : null,
        links: (span.links ?? []).map(({ traceId, spanId }) => ({ traceId, spanId })),
        startMs: Number(span.startTimeUnixNano) / 1e6,
        endMs: Number(span.endTimeUnixNano) / 1e6,
      })),
    ),
  );
