/** What every session of a node shares. */
import type { ErrorDetail } from "../../shared/errors.ts";
import type { NumberedEvent } from "../../shared/event.ts";
import type { Guardrails, Verdict } from "../../shared/guardrails.ts";
import type { TerminalStatus } from "../../shared/run-status.ts";
import type { Browsers } from "../browsers/browsers.ts";
import type { Ledger } from "../drift/ledger.ts";
import type { Proposals } from "../drift/proposals.ts";
import type { EgressListener } from "../guardrails/egress.ts";
import type { Policy } from "../guardrails/policy.ts";
import type { Llm } from "../llm/llm.ts";
import type { RecordingLimits } from "../recording/limits.ts";
import type { SecretsInHand } from "../secrets/in-hand.ts";
import type { EventWriter, Fence } from "../store/events.ts";
import type { RunRow } from "../store/runs.ts";
import type { Seal } from "../store/seal.ts";
import type { Store } from "../store/sql.ts";
import type { Log } from "../telemetry/log.ts";
import type { RunTraces } from "../telemetry/run-spans.ts";
import type { Volume } from "../volume/volume.ts";
import type { Outbox } from "./outbox.ts";

export type TryAgain = (fence: Fence, error: ErrorDetail) => Promise<NumberedEvent[] | null>;

export type SessionDeps = {
  store: Store;
  writer: EventWriter;
  seal: Seal;
  /** What the node's log must not show. */
  secretsInHand: SecretsInHand;
  volume: Volume;
  outbox: Outbox;
  browsers: Browsers<EgressListener>;
  policyOf: (guardrails: Guardrails) => Policy;
  recording: RecordingLimits;
  /** Null: no model is configured on this node. */
  llm: Llm | null;
  /** Below it each run has a folder for what it records. */
  workDir: string;
  ledger: Ledger;
  proposals: Proposals;
  traces: RunTraces;
  log: Log;
  /** Puts the run back into the queue for its next attempt; null: it gets none. @throws CONFLICT, StoreOutage */
  tryAgain: TryAgain;
  onVerdict: (verdict: Verdict) => void;
  onAction: (action: string, success: boolean) => void;
  onEnd: (status: TerminalStatus, row: RunRow) => void;
};
