/** Puts an edge together: configuration and what the runtime provides → an app, and the members it keeps an eye on. */
import packageJson from "../package.json" with { type: "json" };
import { createBucket } from "../shared/bucket.ts";
import { createBucketRuns } from "../shared/bucket-runs.ts";
import { NO_TRACING, openTracing, type Tracing } from "../shared/tracing.ts";
import { createApp, type EdgeApp } from "./app.ts";
import { createBucketSource } from "./bucket/stored-source.ts";
import type { EdgeConfig } from "./config.ts";
import type { Endpoint } from "./endpoint.ts";
import { createLog, type Log } from "./log.ts";
import { createMetrics, NO_PEERS, type Peers } from "./metrics.ts";
import { createLiveFirst } from "./nodes/live-first.ts";
import { createLocate, type LocateLimits } from "./nodes/locate.ts";
import { Members } from "./nodes/members.ts";
import { createPoolClient } from "./nodes/pool-client.ts";
import { EVENTS_LIMITS, type EventsDeps } from "./relay/event-sources.ts";
import { docsEndpoints } from "./routes/docs.ts";
import { healthEndpoints } from "./routes/health.ts";
import { playbookEndpoints } from "./routes/playbooks.ts";
import { poolEndpoints } from "./routes/pool.ts";
import { browserEndpoints } from "./routes/pool-browsers.ts";
import { workEndpoints } from "./routes/pool-work.ts";
import { recordingEndpoints } from "./routes/recording.ts";
import { createRunBytes } from "./routes/run-bytes.ts";
import { runEndpoints } from "./routes/runs.ts";
import { createRunEvents, streamEndpoints } from "./routes/stream.ts";
import { viewerEndpoints } from "./routes/viewer.ts";
import { createViewerFiles } from "./viewer/files.ts";
import { createLinks } from "./viewer/link.ts";
import type { Connect } from "./wire/connection.ts";

export type Platform = {
  connect: Connect;
  /** Told of each chunk of a recording that was passed on. */
  onPassed?: (bytes: number) => void;
  /** The other threads of this edge. */
  peers?: Peers;
  /** Closed together with the edge. */
  tracing?: Tracing;
};

/** How to start an edge. `share`: its port is shared with other threads; the `first` makes sure that nobody else has it. */
export type StartOptions = { limits?: EdgeLimits; peers?: Peers; share?: "first" | "joining" };

/** An edge that listens. Disposing it ends every connection at once. */
export type RunningEdge = AsyncDisposable & {
  url: string;
  port: number;
  /** Takes no new connection, and resolves when those there are have ended, or the time is over. */
  drain(limitMs: number): Promise<void>;
};

/** Times that only tests have reason to change. */
export type EdgeLimits = Partial<EventsDeps> & LocateLimits & { keepaliveMs?: number; refreshMs?: number; forgetMs?: number };

export type Edge = AsyncDisposable & { app: EdgeApp; endpoints: readonly Endpoint[]; members: Members; log: Log };

/** @throws VALIDATION_FAILED, as openTracing */
export const openEdgeTracing = ({ tracing, logLevel }: EdgeConfig): Promise<Tracing> =>
  openTracing(tracing, { name: "understudy-edge", version: packageJson.version }, createLog(logLevel));

export function openEdge(
  config: EdgeConfig,
  { connect, onPassed, peers = NO_PEERS, tracing = NO_TRACING }: Platform,
  limits: EdgeLimits = {},
): Edge {
  const log = createLog(config.logLevel);
  const metrics = createMetrics(peers);
  const { refreshMs, forgetMs, keepaliveMs } = limits;
  const bucket = config.bucket && createBucketSource(createBucketRuns(createBucket(config.bucket.place, config.bucket.credentials)));
  const members = new Members({ seeds: config.poolNodes, token: config.poolToken, connect, log, bucket, refreshMs, forgetMs });
  const locate = createLocate(members, limits);
  const liveFirst = createLiveFirst(members, locate);
  const pool = createPoolClient(members);
  const events: EventsDeps = { ...EVENTS_LIMITS, ...limits, members, locate, idleMs: limits.idleMs ?? config.liveIdleMs };
  const runEvents = createRunEvents({ events, metrics, log, keepaliveMs });
  const runBytes = createRunBytes({ liveFirst, idleMs: config.liveIdleMs, metrics, log, onPassed });
  const endpoints = [
    ...runEndpoints({ pool, liveFirst, locate }),
    ...streamEndpoints({ runEvents }),
    ...recordingEndpoints({ liveFirst, runBytes }),
    ...viewerEndpoints({ liveFirst, runBytes, runEvents, links: createLinks(config), files: createViewerFiles({ pool, log }), config }),
    ...playbookEndpoints({ pool }),
    ...poolEndpoints({ pool }),
    ...browserEndpoints({ pool }),
    ...workEndpoints({ pool }),
    ...healthEndpoints({ members, metrics }),
  ];
  endpoints.push(...docsEndpoints(endpoints));
  return {
    app: createApp(endpoints, { config, metrics, tracing, log }),
    endpoints,
    members,
    log,
    async [Symbol.asyncDispose]() {
      await Promise.all([members[Symbol.asyncDispose](), tracing[Symbol.asyncDispose]()]);
    },
  };
}

export const urlOf = (host: string, port: number): string => `http://${host.includes(":") ? `[${host}]` : host}:${port}`;
