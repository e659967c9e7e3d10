/** What a playbook learns from its runs: proposed changes, versions of its text, and how each of its steps fares. */
import { z } from "zod";
import { numberText } from "./number-text.ts";

const time = z.iso.datetime();

/** A repair that worked, as a change of the playbook. `open` until somebody decides, or it has proven itself. */
export const ProposalSchema = z
  .object({
    proposal_id: z.string(),
    playbook_id: z.string(),
    status: z.enum(["open", "accepted", "rejected"]),
    applies: z.boolean().describe("False once the step is not the one any more that was repaired: it cannot be accepted then"),
    step: z.int().min(0).describe("Index of the step, from 0"),
    description: z.string(),
    diff: z.string().describe("Unified diff of the playbook's YAML; empty where it does not apply"),
    run_id: z.string().describe("The run that last repaired the step so"),
    pictures: z
      .object({ before: z.string().nullable(), after: z.string().nullable() })
      .describe("Paths of that run's screenshots: as the step failed, and once it was repaired. Null where none was taken"),
    times_seen: z.int().min(1).describe("How many runs have repaired the step so"),
    clean_runs: z.int().min(0).describe("How many completed in a row with it, without an agent; counted where POOL_PROMOTE_AFTER is set"),
    created_at: time,
    last_seen_at: time,
    decided_at: time.nullable(),
    decided_by: z.enum(["request", "promotion"]).nullable(),
    version: z.int().nullable().describe("Of an accepted one: the version that it made"),
  })
  .meta({ id: "Proposal" });
export type Proposal = z.infer<typeof ProposalSchema>;
export const ProposalsSchema = z.object({ proposals: z.array(ProposalSchema) });

export const ListProposalsSchema = z.strictObject({ status: z.enum(["open", "accepted", "rejected"]).optional() });

/** `file`: as it was installed. `proposal`: a proposal was accepted on top of another version. */
export const PlaybookVersionSchema = z
  .object({
    version: z.int().min(1),
    origin: z.enum(["file", "proposal"]),
    based_on: z.int().nullable().describe("The version that it was made from"),
    proposal_id: z.string().nullable(),
    created_at: time,
    runs_now: z.boolean().describe("Is it what runs of this playbook do now?"),
    yaml: z.string(),
  })
  .meta({ id: "PlaybookVersion" });
export type PlaybookVersion = z.infer<typeof PlaybookVersionSchema>;
export const PlaybookVersionsSchema = z.object({ versions: z.array(PlaybookVersionSchema) });

/** Query of a roll-back: without `version` to the one that the running one was made from. */
export const RollBackSchema = z.strictObject({ version: numberText(z.int().min(1)).optional() });

export const StepHealthSchema = z
  .object({
    index: z.int().min(0),
    action: z.string(),
    description: z.string(),
    runs: z.int().describe("In which the step, as it is written now, was tried"),
    hit_rate: z.number().min(0).max(1).nullable().describe("Share of them in which it worked at once, by its primary selectors"),
    passed: z.int(),
    failed: z.int(),
    retried: z.int().describe("Worked only when it was tried again"),
    repaired: z.int().describe("Worked only because an agent, or a proposal on trial, repaired it"),
    fallbacks: z
      .array(z.object({ fallback: z.int().min(1), wins: z.int(), last_at: time }))
      .describe("Which fallback found the element, from 1, and how often"),
    p95_ms: z.number().nullable().describe("95 % of the times that it worked took at most so long, within a quarter"),
    last_verified_at: time.nullable().describe("When it last worked; with a verification, when that last held"),
  })
  .meta({ id: "StepHealth" });

export const PlaybookHealthSchema = z
  .object({
    playbook_id: z.string(),
    since: z.iso.date().nullable().describe("The first day of which something is known"),
    open_proposals: z.int(),
    steps: z.array(StepHealthSchema),
  })
  .meta({ id: "PlaybookHealth" });
export type PlaybookHealth = z.infer<typeof PlaybookHealthSchema>;
