/** The node protocol: what an edge says to a pool node, and what any stand-in node must answer. */
import { z } from "zod";
import { numberTextOr } from "./number-text.ts";

export const NODE_STATES = ["ready", "draining", "drained"] as const;

/** `GET /node`. */
export const NodeInfoSchema = z
  .object({
    node_id: z.string(),
    boot_id: z.string(),
    url: z.string(),
    state: z.enum(NODE_STATES),
    slots: z.object({ total: z.int(), busy: z.int() }),
    queued: z.int(),
    browsers: z.object({ warm: z.int(), busy: z.int() }),
    load: z.number().describe("Load average of one minute per CPU"),
    tier: z.string().describe("How Chrome is isolated: netns (its sandbox, and a network of its own), sandbox, no-sandbox or remote"),
    isolation: z
      .enum(["process", "context"])
      .optional()
      .describe("How runs are kept apart from each other: a Chrome process for each, or a context in one that they share"),
    version: z.string(),
    started_at: z.iso.datetime(),
  })
  .meta({ id: "NodeInfo" });
export type NodeInfo = z.infer<typeof NodeInfoSchema>;

/** One of `GET /nodes`: as last written to the store. */
export const MemberSchema = NodeInfoSchema.extend({ state: z.enum([...NODE_STATES, "lost"]), last_seen_at: z.iso.datetime() }).meta({
  id: "Node",
});
export type Member = z.infer<typeof MemberSchema>;
export const MembersSchema = z.object({ nodes: z.array(MemberSchema) }).meta({ id: "Nodes" });

/** `GET /runs/{id}/location`. `live` until the artifacts are committed or persist has failed. */
export const LocationSchema = z.object({
  run_id: z.string(),
  state: z.enum(["queued", "live", "stored"]),
  node_id: z.string().nullable(),
  node_url: z.string().nullable(),
});
export type Location = z.infer<typeof LocationSchema>;

/** Query of `GET /runs/{id}/location`: with `known=<state>:<node_id>` the answer waits until that differs, at most `wait_s`. */
export const LocationQuerySchema = z.strictObject({
  known: z.string().max(200).optional(),
  wait_s: numberTextOr(0, z.number().min(0).max(30)),
});

/** What `known` must be for the location in hand. */
export const formatKnown = (location: Location): string => `${location.state}:${location.node_id ?? ""}`;

export const BrowserInfoSchema = z
  .object({
    browser_id: z.string(),
    node_id: z.string(),
    state: z.enum(["starting", "warm", "busy", "closing"]),
    kind: z.enum(["process", "remote"]),
    run_id: z.string().nullable(),
    pid: z.int().nullable(),
    version: z.string().nullable(),
    started_at: z.iso.datetime(),
    recycle_requested: z.boolean(),
    age_s: z.number().min(0).default(0),
    memory_bytes: z
      .int()
      .nullable()
      .default(null)
      .describe("Proportional set size of all its processes; null: not known, as of a remote one"),
    cpu_s: z.number().nullable().default(null).describe("CPU time that all its processes have taken so far"),
    chrome_id: z
      .string()
      .optional()
      .describe("`browser_id` of the shared Chrome that this is a context of, which stands in the list too; absent: a Chrome of its own"),
    retired: z
      .boolean()
      .optional()
      .describe("A shared Chrome that takes no more runs, and ends with the last that is in it; absent: it is not"),
  })
  .meta({ id: "Browser" });
export type BrowserInfo = z.infer<typeof BrowserInfoSchema>;
export const BrowsersSchema = z.object({ browsers: z.array(BrowserInfoSchema) }).meta({ id: "Browsers" });

export const ReadinessSchema = z
  .object({
    ready: z.boolean(),
    reasons: z.array(z.string()),
    tiers: z.array(z.string()).describe("How Chrome is isolated on the nodes that answer, each tier once"),
    isolations: z
      .array(z.string())
      .optional()
      .describe("How runs are kept apart from each other on the nodes that answer, each way once: process, context"),
  })
  .meta({ id: "Readiness" });
export type Readiness = z.infer<typeof ReadinessSchema>;

/** Header that names the caller's key to a node. Absent: the caller may see everybody's runs. */
export const API_KEY_NAME_HEADER = "X-Api-Key-Name";
export const TRACE_SOURCE_HEADER = "X-Trace-Source";
/** Largest body that a node takes; an edge may be told to take less. */
export const MAX_BODY_BYTES = 16 * 1024 * 1024;
export const IDEMPOTENCY_HEADER = "Idempotency-Key";
export const REQUEST_ID_HEADER = "X-Request-Id";
