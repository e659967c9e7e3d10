/** A pool node, whole: builds everything in the order it depends on each other, and takes it down in reverse. */
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { availableParallelism, loadavg } from "node:os";
import { join } from "node:path";
import { type ServerType, serve } from "@hono/node-server";
import packageJson from "../package.json" with { type: "json" };
import { AppError } from "../shared/errors.ts";
import type { Guardrails } from "../shared/guardrails.ts";
import { cannotListen } from "../shared/listen.ts";
import type { NodeInfo } from "../shared/node.ts";
import { openTracing } from "../shared/tracing.ts";
import { findFolder, makeFolder } from "../start/make-folder.ts";
import { createApp } from "./api/app.ts";
import { openBrowsers } from "./browsers/browsers.ts";
import { createCanary } from "./canary.ts";
import type { PoolConfig } from "./config.ts";
import { diskTroubles, readDiskFree } from "./disk.ts";
import { createDraining } from "./draining.ts";
import { openLedger } from "./drift/ledger.ts";
import { createProposals } from "./drift/proposals.ts";
import { openVersions } from "./drift/versions.ts";
import { openEgress } from "./guardrails/egress.ts";
import { createPolicy } from "./guardrails/policy.ts";
import { createLlm } from "./llm/llm.ts";
import { type NodeLog, openNodeLog } from "./node-log.ts";
import { openLibrary } from "./playbook/load.ts";
import { openQueue } from "./queue/boss.ts";
import { slotsOfKeys } from "./queue/key-limits.ts";
import { watchPeers } from "./queue/lost.ts";
import { tryAgainAs } from "./queue/next-attempt.ts";
import { watchQueueClock } from "./queue/queue-clock.ts";
import { watchQueued } from "./queue/queued.ts";
import { createSlots } from "./queue/slots.ts";
import { stopRun, watchStops } from "./queue/stop.ts";
import { Worker } from "./queue/worker.ts";
import { deliverFromOutbox, recoverEarlierRuns } from "./recovery.ts";
import { startRetention } from "./retention.ts";
import { LiveRuns } from "./session/live-runs.ts";
import { Outbox } from "./session/outbox.ts";
import { stopRequested } from "./session/outcome.ts";
import { Session } from "./session/session.ts";
import type { SessionDeps, TryAgain } from "./session/session-deps.ts";
import { RUNS_CHANNEL, watchRuns } from "./store/changes.ts";
import { openStore } from "./store/connect.ts";
import { EventWriter } from "./store/events.ts";
import { openIdentity } from "./store/identity.ts";
import { joinNodes } from "./store/nodes.ts";
import { readQueue } from "./store/runs.ts";
import { openSeal } from "./store/seal.ts";
import { startUpkeep } from "./store/upkeep.ts";
import { createMetrics } from "./telemetry/metrics.ts";
import { createRunTraces } from "./telemetry/run-spans.ts";
import { openVolume } from "./volume/open.ts";

export interface PoolNode extends AsyncDisposable {
  readonly url: string;
  readonly nodeId: string;
  info(): NodeInfo;
  /** Takes no more runs; resolves when those in hand are over and stored, or were ended because the grace was over. */
  drain(graceMs: number): Promise<void>;
}

/** Opens a node that takes runs at once. Disposed without a drain it ends its runs as `terminated`. */
export async function openNode(config: PoolConfig, { log, secretsInHand }: NodeLog = openNodeLog(config)): Promise<PoolNode> {
  for (const folder of ["", "work", "outbox"]) makeFolder(join(config.dataDir, folder), "DATA_DIR");
  findFolder(join(config.dataDir, "playbooks"), "DATA_DIR");
  await using opened = new AsyncDisposableStack();
  const store = opened.use(await openStore({ dataDir: config.dataDir, databaseUrl: config.databaseUrl, log }));
  const { node_id, boot_id } = await openIdentity(config.dataDir);
  const nodeLog = log.with({ node_id });
  const service = { name: "understudy-node", version: packageJson.version, instance: node_id };
  const tracing = opened.use(await openTracing(config.tracing, service, nodeLog));
  const traces = createRunTraces(tracing);
  const workDir = join(config.dataDir, "work");
  const volume = await openVolume(config.volume, { isShared: store.kind !== "embedded", log: nodeLog });
  const seal = await openSeal({ secretsKey: config.secretsKey, dataDir: config.dataDir });
  const versions = opened.use(await openVersions(store, nodeLog));
  const library = await openLibrary(config.playbooksDir, nodeLog, versions.standIn);
  const proposals = createProposals({ store, library, versions, promoteAfter: config.promoteAfter, log: nodeLog });
  const ledger = opened.use(openLedger(store, nodeLog));
  const browsers = opened.use(
    await openBrowsers({
      nodeId: node_id,
      dataDir: config.dataDir,
      slots: config.slots,
      warm: config.warm,
      isolation: config.isolation,
      profileMib: config.profileMib,
      spareMaxAgeMs: config.spareMaxAgeMs,
      spareMaxBytes: config.spareMaxBytes,
      sharedMaxBytes: config.sharedMaxBytes,
      chromePath: config.chromePath,
      sandbox: config.sandbox,
      endpoints: config.chromeEndpoints,
      egressAdvertise: config.egressAdvertise,
      openEgress: () => openEgress(egressPlace(config)),
      log: nodeLog,
    }),
  );

  const diskFolders = { data: config.dataDir, ...("dir" in config.volume && { volume: config.volume.dir }) };
  const slots = opened.use(createSlots({ total: config.slots, log: nodeLog }));
  const metrics = createMetrics(node_id, async () => ({
    slots: { total: slots.total, busy: slots.busy },
    queue: await readQueue(store, new Date()).catch(() => null),
    browsers: browsers.counts(),
    retiredChromes: browsers.list().filter(({ retired }) => retired).length,
    browserMemory: await browsers.memory(),
    diskFree: await readDiskFree(diskFolders),
  }));
  const onEnded = metrics.runEnded;

  const queue = opened.use(await openQueue({ store, log: nodeLog, groupLimits: slotsOfKeys(config.keyLimits) }));
  const writer = new EventWriter({ store, settle: async (tx, fence) => void (await queue.settle(tx, fence)), log: nodeLog });
  const tryAgain: TryAgain = (fence, error) => tryAgainAs({ store, queue }, fence, error);
  const deliver = deliverFromOutbox({ store, volume, writer, tryAgain, onEnded, log: nodeLog });
  const outbox = opened.use(await Outbox.open(join(config.dataDir, "outbox"), deliver, nodeLog));
  const server = opened.use(await listen(config));
  const owner = { node_id, boot_id, node_url: config.publicUrl ?? server.url };
  await outbox.deliverAll(["publish"]); // what had ended must not be taken for lost; artifacts can wait, as they do for a bucket that is away
  await recoverEarlierRuns({ waiting: await outbox.runs(), store, queue, owner, volume, workDir, onEnded, log: nodeLog });
  outbox.start();
  opened.use(await store.listen(RUNS_CHANNEL, (runId) => runId === "" && outbox.wake())); // the store was away, and is back

  const live = new LiveRuns();
  const llm = config.llm && createLlm(config.llm, nodeLog);
  const policyOf = (guardrails: Guardrails) => createPolicy(guardrails, config);
  const sessions: SessionDeps = {
    store,
    writer,
    seal,
    secretsInHand,
    volume,
    outbox,
    browsers,
    policyOf,
    recording: config.recording,
    llm,
    workDir,
    ledger,
    proposals,
    traces,
    log: nodeLog,
    tryAgain,
    onVerdict: (verdict) => metrics.verdict(verdict),
    onAction: (action, success) => metrics.actionDone(action, success),
    onEnd: (status, row) => {
      metrics.runEnded(status, row.outcome?.error?.code);
      if (row.started_at) metrics.runStarted((row.started_at.getTime() - row.created_at.getTime()) / 1000);
    },
  };
  const queued = opened.use(watchQueued(store));
  const worker = opened.use(
    await Worker.open({
      store,
      queue,
      queueMax: config.queueMax,
      keyLimits: config.keyLimits,
      clockLimits: config.clocks,
      owner,
      slots,
      writer,
      mayWait: () => queued.count > 0,
      onEnded,
      log: nodeLog,
      run: async (claim, expired) => {
        const session = new Session(claim, sessions);
        expired.addEventListener("abort", () => session.stop(expired.reason), { once: true });
        live.add(session);
        await session.run();
      },
    }),
  );
  opened.use(
    await watchStops({
      ...{ store, owner, log: nodeLog },
      onStop: (runId) => live.get(runId)?.stop(stopRequested()),
      inHand: () => live.atWork(),
      onGone: ({ run_id, attempt }) => live.gone(run_id, attempt),
    }),
  );
  opened.use(startUpkeep({ store, log: nodeLog }));
  const changes = opened.use(await watchRuns(store));

  const draining = createDraining({ worker, live, outbox, tell: () => membership.beat(), log: nodeLog });
  const startedAt = new Date().toISOString();
  const info = (): NodeInfo => ({
    node_id,
    boot_id,
    url: owner.node_url,
    state: draining.state,
    slots: { total: slots.total, busy: slots.busy },
    queued: queued.count,
    browsers: browsers.counts(),
    load: Math.round(((loadavg()[0] ?? 0) / availableParallelism()) * 100) / 100,
    tier: browsers.tier,
    isolation: browsers.isolation,
    version: packageJson.version,
    started_at: startedAt,
  });
  const onFenced = () => {
    void worker.drain();
    live.stopAll(new AppError("NODE_LOST", "Another process took this node's place in the pool"));
  };
  const membership = opened.use(await joinNodes({ store, info, onFenced, log: nodeLog }));
  const ofPool = { store, isOnDuty: membership.isOnDuty, log: nodeLog };
  opened.use(watchQueueClock({ ...ofPool, queue, onEnded: () => metrics.runEnded("timeout", "TIMEOUT") }));
  opened.use(watchPeers({ ...ofPool, queue, owner, onLost: () => metrics.runEnded("failed", "NODE_LOST") }));
  opened.use(startRetention({ ...ofPool, volume, retentionDays: config.retentionDays }));

  const viaEgress = config.egressAdvertise !== "none";
  const canary = createCanary({ nodeId: node_id, browsers, viaEgress, log: nodeLog });
  const app = createApp({
    canary,
    token: config.token,
    store,
    changes,
    tracing,
    createRun: (run, idempotency, traceparent) => {
      traces.posted(run.run_id, traceparent); // before: the run may begin at once
      return worker.create(run, idempotency);
    },
    requestStop: async (runId, apiKeyName, reason) => {
      const { status, endedNow } = await stopRun({ store, queue }, runId, apiKeyName, reason);
      if (endedNow) metrics.runEnded("terminated", "RUN_TERMINATED");
      return status;
    },
    volume,
    seal,
    browsers,
    library,
    drift: { store, library, versions, ledger, proposals },
    admission: { library, seal, operator: config.guardrails, policyOf, llm },
    live,
    info,
    notReady: async () => [
      ...((await store.healthy()) ? [] : ["The store does not answer"]),
      ...((await volume.healthy()) ? [] : ["The volume does not answer; what runs leave behind waits on this node until it does"]),
      ...diskTroubles(await readDiskFree(diskFolders), config.diskMinFreeBytes),
      ...(draining.state === "ready" ? [] : [`The node is ${draining.state}`]),
      ...(browsers.ready().length === 0 ? [] : ["No Chrome can be had; the node's log says why"]), // open to anybody: no paths, no addresses
    ],
    metrics: () => metrics.text(),
    draining: () => draining.state !== "ready",
    drain: draining.drain,
    resume: draining.resume,
    log: nodeLog,
  });
  server.serve((request) => app.fetch(request));
  nodeLog.info("Node is ready", {
    url: owner.node_url,
    slots: config.slots,
    tier: browsers.tier,
    isolation: browsers.isolation,
    store: store.kind,
  });

  opened.defer(() => draining.shutDown(0)); // first of all that is undone
  const kept = opened.move();
  return { url: owner.node_url, nodeId: node_id, info, drain: draining.shutDown, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

type Handler = (request: Request) => Response | Promise<Response>;

/** Takes the port before anything else of this node is told to anybody; answers 503 until it is served. */
async function listen(config: PoolConfig): Promise<AsyncDisposable & { url: string; serve(handler: Handler): void }> {
  let handle: Handler = () => new Response(null, { status: 503, headers: { "Retry-After": "1" } });
  const server: ServerType = serve({ fetch: (request) => handle(request), hostname: config.host, port: config.port });
  try {
    await once(server, "listening");
  } catch (cause) {
    throw cannotListen("POOL", config, cause);
  }
  const { port } = server.address() as AddressInfo;
  const host = config.host.includes(":") ? `[${config.host}]` : config.host;
  return {
    url: `http://${host}:${port}`,
    serve: (handler) => {
      handle = handler;
    },
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close");
      server.close();
      if ("closeAllConnections" in server) server.closeAllConnections(); // every run is settled: who still listens has all there is
      await closed;
    },
  };
}

/** Where a run's way out listens: on this machine alone, or where remote Chromes reach it. */
function egressPlace({ chromeEndpoints, egressAdvertise }: PoolConfig): { host?: string; advertise?: string } {
  const isRemote = chromeEndpoints.length > 0 && egressAdvertise !== null && egressAdvertise !== "none";
  return isRemote ? { host: "0.0.0.0", advertise: egressAdvertise } : {};
}
