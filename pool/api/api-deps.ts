/** What the routes of a node work with. */
import type { Health } from "../../shared/admin.ts";
import type { AppError } from "../../shared/errors.ts";
import type { NodeInfo } from "../../shared/node.ts";
import type { RunStatus } from "../../shared/run-status.ts";
import type { Tracing } from "../../shared/tracing.ts";
import type { Browsers } from "../browsers/browsers.ts";
import type { Ledger } from "../drift/ledger.ts";
import type { Proposals } from "../drift/proposals.ts";
import type { Versions } from "../drift/versions.ts";
import type { EgressListener } from "../guardrails/egress.ts";
import type { Library } from "../playbook/load.ts";
import type { AdmissionDeps } from "../session/admission.ts";
import type { LiveRuns } from "../session/live-runs.ts";
import type { RunChanges } from "../store/changes.ts";
import type { Idempotency } from "../store/idempotency.ts";
import type { NewRun } from "../store/runs.ts";
import type { Seal } from "../store/seal.ts";
import type { Store } from "../store/sql.ts";
import type { Log } from "../telemetry/log.ts";
import type { Volume } from "../volume/volume.ts";

export type ApiDeps = {
  token: string;
  store: Store;
  changes: RunChanges;
  tracing: Tracing;
  /** Makes the run durable; claimed for this node at once where it has a free slot. `traceparent`: of the request. @throws POOL_SATURATED · CONFLICT */
  createRun: (run: NewRun, idempotency: Idempotency | null, traceparent: string | null) => Promise<{ run_id: string; status: RunStatus }>;
  /** Ends a queued run, with `reason` where one is given, or tells the owner of one that runs. The status as it is then. @throws NOT_FOUND */
  requestStop: (runId: string, apiKeyName: string | null, reason?: AppError) => Promise<RunStatus>;
  volume: Volume;
  seal: Seal;
  browsers: Browsers<EgressListener>;
  library: Library;
  drift: { store: Store; library: Library; versions: Versions; ledger: Ledger; proposals: Proposals };
  admission: AdmissionDeps;
  live: LiveRuns;
  /** Loads a page in a Chrome of this node; the answer may be a moment old, unless it shall be fresh. */
  canary: { check(options: { fresh: boolean }): Promise<Health> };
  info: () => NodeInfo;
  /** Why this node cannot take runs; empty when it can. */
  notReady: () => Promise<string[]>;
  metrics: () => Promise<string>;
  draining: () => boolean;
  /** `graceS`: seconds after which what is still in hand is ended, unless it is resumed before; null: never. */
  drain: (graceS: number | null) => Promise<void>;
  resume: () => Promise<void>;
  log: Log;
};
