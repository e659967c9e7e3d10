/** The tables, and how an older store becomes a newer one. The same SQL on PGlite and Postgres. */
import { AppError } from "../../shared/errors.ts";
import type { Store } from "./sql.ts";

/** One entry a version, in order. An entry that was released is never changed: what comes later is a new one. */
const VERSIONS: readonly string[] = [
  `
  CREATE TABLE understudy.runs (
    run_id uuid PRIMARY KEY,
    api_key_name text,
    status text NOT NULL,
    attempt int NOT NULL DEFAULT 1,
    node_id text,
    boot_id text,
    node_url text,
    claim_id uuid,
    request json NOT NULL,
    playbook_id text,
    playbook json,
    params json NOT NULL,
    guardrails json NOT NULL,
    sealed_credentials bytea,
    labels jsonb NOT NULL,
    clock_limits json NOT NULL,
    clocks json,
    created_at timestamptz(3) NOT NULL,
    claimed_at timestamptz(3),
    started_at timestamptz(3),
    finished_at timestamptz(3),
    settled_at timestamptz(3),
    stop_requested_at timestamptz(3),
    last_event_id int NOT NULL,
    recording_state text NOT NULL,
    warnings jsonb NOT NULL DEFAULT '[]',
    outcome json,
    lists json
  ) WITH (fillfactor = 70); -- each grouped insert of events updates its run, and should find room on the page
  COMMENT ON COLUMN understudy.runs.outcome IS 'result, data, error, usage';
  COMMENT ON COLUMN understudy.runs.lists IS 'actions, step_results, extracted_texts; null where nobody lived to write them: then the events tell';
  CREATE INDEX runs_newest ON understudy.runs (created_at DESC, run_id DESC);
  CREATE INDEX runs_newest_of_key ON understudy.runs (api_key_name, created_at DESC, run_id DESC);
  CREATE INDEX runs_queued ON understudy.runs (created_at, run_id) WHERE status = 'queued';
  CREATE INDEX runs_unsettled ON understudy.runs (node_id) WHERE settled_at IS NULL;

  CREATE TABLE understudy.events (
    run_id uuid NOT NULL REFERENCES understudy.runs ON DELETE CASCADE,
    id int NOT NULL,
    event json NOT NULL, -- json, not jsonb: a replay is to the letter what live readers got
    PRIMARY KEY (run_id, id)
  );

  -- A function, because the plans inside it are kept: planning is three quarters of what this costs as a plain statement.
  CREATE FUNCTION understudy.append_events(batches json) RETURNS SETOF int LANGUAGE plpgsql AS $body$
  DECLARE
    b record;
  BEGIN
    FOR b IN SELECT * FROM json_to_recordset(batches)
      AS x (batch int, run_id uuid, node_id text, boot_id text, attempt int, after int, count int, events json)
    LOOP
      UPDATE understudy.runs r SET last_event_id = r.last_event_id + b.count
        WHERE r.run_id = b.run_id AND r.node_id = b.node_id AND r.boot_id = b.boot_id AND r.attempt = b.attempt
          AND r.last_event_id = b.after AND r.status IN ('starting', 'running');
      IF FOUND THEN
        INSERT INTO understudy.events (run_id, id, event)
          SELECT b.run_id, b.after + e.nth, e.event FROM json_array_elements(b.events) WITH ORDINALITY AS e (event, nth);
        RETURN NEXT b.batch;
      END IF;
    END LOOP;
  END $body$;

  CREATE TABLE understudy.idempotency (
    api_key_name text NOT NULL,
    key text NOT NULL,
    digest bytea NOT NULL,
    run_id uuid NOT NULL,
    status text NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (api_key_name, key)
  );
  CREATE INDEX idempotency_expired ON understudy.idempotency (expires_at);

  CREATE TABLE understudy.nodes (
    node_id text PRIMARY KEY,
    boot_id text NOT NULL,
    info json NOT NULL,
    last_seen_at timestamptz NOT NULL
  );
  `,
  // A run can be settled before it is over: its artifacts are committed, and its end waits in the outbox.
  `
  DROP INDEX understudy.runs_unsettled;
  CREATE INDEX runs_open ON understudy.runs (node_id) WHERE settled_at IS NULL OR finished_at IS NULL;
  `,
  // What waits has an order by priority. Runs that waited before had none, which is the default.
  `
  ALTER TABLE understudy.runs ADD COLUMN priority smallint NOT NULL DEFAULT 5;
  DROP INDEX understudy.runs_queued;
  CREATE INDEX runs_queued ON understudy.runs ((-priority), created_at, run_id) WHERE status = 'queued';
  `,
  // What playbooks learn from their runs.
  `
  CREATE TABLE understudy.proposals (
    proposal_id uuid PRIMARY KEY,
    playbook_id text NOT NULL,
    fingerprint text NOT NULL,
    status text NOT NULL DEFAULT 'open',
    step int NOT NULL,
    description text NOT NULL,
    repair json NOT NULL,
    run_id uuid NOT NULL,
    picture_before text,
    picture_after text,
    times_seen int NOT NULL DEFAULT 1,
    clean_runs int NOT NULL DEFAULT 0,
    created_at timestamptz(3) NOT NULL,
    last_seen_at timestamptz(3) NOT NULL,
    decided_at timestamptz(3),
    decided_by text,
    version int,
    UNIQUE (playbook_id, fingerprint)
  );
  COMMENT ON COLUMN understudy.proposals.fingerprint IS 'the same repair of the same step, as it was written';
  COMMENT ON COLUMN understudy.proposals.run_id IS 'may be forgotten by now: no reference';
  CREATE INDEX proposals_seen ON understudy.proposals (last_seen_at);

  CREATE TABLE understudy.playbook_versions (
    playbook_id text NOT NULL,
    version int NOT NULL,
    origin text NOT NULL,
    based_on int,
    proposal_id uuid,
    file_digest text NOT NULL,
    source text NOT NULL,
    created_at timestamptz(3) NOT NULL,
    PRIMARY KEY (playbook_id, version)
  );
  -- Which version stands in place of a file with this text. None: the file itself.
  CREATE TABLE understudy.playbook_heads (
    playbook_id text NOT NULL,
    file_digest text NOT NULL,
    version int NOT NULL,
    changed_at timestamptz(3) NOT NULL,
    PRIMARY KEY (playbook_id, file_digest)
  );

  CREATE TABLE understudy.step_counts (
    playbook_id text NOT NULL,
    step_key text NOT NULL,
    day date NOT NULL,
    counter text NOT NULL,
    count int NOT NULL,
    last_at timestamptz(3) NOT NULL,
    PRIMARY KEY (playbook_id, step_key, day, counter)
  );
  CREATE INDEX step_counts_day ON understudy.step_counts (day);
  `,
  // Runs posted with retries come back to the queue.
  `
  ALTER TABLE understudy.runs ADD COLUMN requeued_at timestamptz(3), ADD COLUMN earlier_attempts jsonb NOT NULL DEFAULT '[]';
  `,
  // Who did what to the pool.
  `
  CREATE TABLE understudy.audit (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz(3) NOT NULL,
    key_name text,
    action text NOT NULL,
    target text NOT NULL,
    node_id text NOT NULL,
    request_id text
  );
  CREATE INDEX audit_at ON understudy.audit (at);
  `,
  // What a key with a limit a minute has posted of late: deleting a run does not undo that it was posted.
  `
  CREATE TABLE understudy.key_posts (
    api_key_name text NOT NULL,
    at timestamptz(3) NOT NULL
  );
  CREATE INDEX key_posts_of_key ON understudy.key_posts (api_key_name, at);
  `,
  // Retention takes the oldest, a hundred at a time: it should not read all runs for each hundred.
  `
  CREATE INDEX runs_stored ON understudy.runs (finished_at) WHERE settled_at IS NOT NULL;
  `,
  // For a while a run that was deleted is told from one that never was.
  `
  CREATE TABLE understudy.deleted_runs (
    run_id uuid PRIMARY KEY,
    api_key_name text,
    deleted_at timestamptz(3) NOT NULL
  );
  CREATE INDEX deleted_runs_at ON understudy.deleted_runs (deleted_at);
  `,
];

/** Where pg-boss keeps its tables: the database may serve another program's pg-boss too. Made here, under our lock: its own making of it is open to a race. */
export const QUEUE_SCHEMA = "understudy_queue";

/** Serializes nodes that start at the same moment on one server. The number has no meaning but to be ours. */
const MIGRATION_LOCK = 7_064_001;

/** Brings the tables to the newest version, in one transaction. @throws CONFLICT when a newer version of Understudy has been here. */
export async function migrate(store: Store): Promise<void> {
  await store.transaction(async (tx) => {
    await tx.query(`SELECT pg_advisory_xact_lock(${MIGRATION_LOCK})`);
    await tx.query(`CREATE SCHEMA IF NOT EXISTS understudy; CREATE SCHEMA IF NOT EXISTS ${QUEUE_SCHEMA}`);
    await tx.query("CREATE TABLE IF NOT EXISTS understudy.version (version int NOT NULL)");
    const [row] = await tx.query<{ version: number }>("SELECT version FROM understudy.version", []);
    const version = row?.version ?? 0;
    if (version > VERSIONS.length) {
      throw new AppError("CONFLICT", `The store is of version ${version}, and this node knows ${VERSIONS.length}: update the node`);
    }
    if (version === VERSIONS.length) return;
    for (const script of VERSIONS.slice(version)) await tx.query(script);
    await tx.query("DELETE FROM understudy.version");
    await tx.query("INSERT INTO understudy.version VALUES ($1)", [VERSIONS.length]);
  });
}
