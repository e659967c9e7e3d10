/** Proposed changes of playbooks: made of repairs that worked, decided by request, or by clean runs where the operator asked for that. */
import { createHash, randomUUID } from "node:crypto";
import { setImmediate } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { AppError } from "../../shared/errors.ts";
import type { Playbook, Step } from "../../shared/playbook.ts";
import type { Proposal } from "../../shared/proposal.ts";
import type { Library } from "../playbook/load.ts";
import { changesSelectorsOnly, type Repair, repairedStep } from "../playbook/repair.ts";
import { applyRepair, stillApplies } from "../playbook/yaml-edit.ts";
import { toJson } from "../store/json.ts";
import { addVersion, lockPlaybook, readCurrent, setHead } from "../store/playbook-versions.ts";
import {
  acceptAgain,
  countTrial,
  decideProposal,
  holdProposal,
  listProposals,
  type ProposalRow,
  readProposal,
  saveProposal,
} from "../store/proposals.ts";
import type { Store } from "../store/sql.ts";
import type { Log } from "../telemetry/log.ts";
import { toProposal } from "./proposal-view.ts";
import { currentLine, currentVersion, isIn, sourceOf, type Versions } from "./versions.ts";

/** What a run has learned of a step. Names of its screenshots, where there are any. */
export type Learned = { runId: string; repair: Repair; description: string; pictures: { before: string | null; after: string | null } };

export type Proposals = {
  /** Is this what runs of the installed playbook do? Only then is there something to learn of it. */
  isInstalled(playbook: Playbook): boolean;
  /** @throws CONFLICT: it cannot be written into the playbook */
  propose(playbookId: string, learned: Learned): Promise<void>;
  list(playbookId: string, status: ProposalRow["status"] | null): Promise<Proposal[]>;
  /** Twice is the same as once. @throws NOT_FOUND · CONFLICT: the step is another one by now */
  accept(playbookId: string, proposalId: string): Promise<Proposal>;
  /** @throws NOT_FOUND · CONFLICT: what runs has it; that is taken back by a roll-back */
  reject(playbookId: string, proposalId: string): Promise<Proposal>;
  /**
   * The step as the latest open proposal has it; null, unless the operator wants proposals to prove themselves. Only other selectors for what the author
   * wrote: an action that an agent added would be granted as an author's once it is promoted, and that takes a person.
   */
  onTrial(playbook: Playbook, index: number): Promise<{ proposalId: string; step: Step } | null>;
  /** What came of a trial. After as many clean runs as the operator asked for it is accepted. */
  tried(playbookId: string, proposalId: string, clean: boolean): Promise<void>;
};

/** `promoteAfter`: clean runs; 0: never by itself. */
type Deps = { store: Store; library: Library; versions: Versions; promoteAfter: number; log: Log };

export function createProposals({ store, library, versions, promoteAfter, log }: Deps): Proposals {
  const find = async (playbookId: string, proposalId: string): Promise<Proposal> => {
    const row = await readProposal(store, playbookId, proposalId);
    if (!row) throw noSuchProposal();
    return toProposal(row, sourceOf(library, playbookId).text, library.get(playbookId));
  };

  const accept = async (playbookId: string, proposalId: string, by: "request" | "promotion"): Promise<void> => {
    const source = sourceOf(library, playbookId);
    const at = new Date();
    const made = await store.transaction(async (tx) => {
      await lockPlaybook(tx, playbookId);
      const row = await holdProposal(tx, playbookId, proposalId);
      if (!row) throw noSuchProposal();
      if (by === "promotion" && row.status !== "open") return null;
      const line = await currentLine(tx, playbookId, source);
      if (isIn(line, row)) {
        const version = line.find(({ proposal_id }) => proposal_id === proposalId)?.version;
        if (row.status !== "accepted" && version) await acceptAgain(tx, [{ proposal_id: proposalId, version }], at);
        return null;
      }
      const current = await currentVersion(tx, playbookId, source);
      const { text } = rewrite(current.source, row.repair as Repair);
      const origin = { playbook_id: playbookId, origin: "proposal" as const, based_on: current.version, proposal_id: proposalId };
      const version = await addVersion(tx, { ...origin, file_digest: source.fileDigest, source: text }, at);
      await setHead(tx, playbookId, source.fileDigest, version, at);
      await decideProposal(tx, { proposal_id: proposalId, status: "accepted", decided_by: by, version }, at);
      return version;
    });
    if (made !== null) log.info("A proposal is accepted", { playbook_id: playbookId, proposal_id: proposalId, version: made, by });
    await versions.refresh();
  };

  const proposals: Proposals = {
    isInstalled(playbook) {
      const installed = library.get(playbook.id);
      return installed !== null && isDeepStrictEqual(JSON.parse(JSON.stringify(installed)), JSON.parse(JSON.stringify(playbook)));
    },

    async propose(playbookId, { runId, repair, description, pictures }) {
      const source = sourceOf(library, playbookId);
      applyRepair(source.text, repair);
      const given = { proposal_id: randomUUID(), playbook_id: playbookId, step: repair.step, description, repair, run_id: runId, pictures };
      const isSaved = await store.transaction(async (tx) => {
        await lockPlaybook(tx, playbookId);
        const text = (await readCurrent(tx, playbookId, source.fileDigest))?.source ?? source.fileText;
        if (text !== source.text && !fits(text, repair)) return false;
        await saveProposal(tx, { ...given, fingerprint: fingerprintOf(repair) }, new Date());
        return true;
      });
      if (!isSaved) log.info("A repair came late: its step was changed meanwhile", { playbook_id: playbookId, step: repair.step });
    },

    async list(playbookId, status) {
      const { text } = sourceOf(library, playbookId);
      const playbook = library.get(playbookId);
      const shown: Proposal[] = [];
      for (const row of await listProposals(store, playbookId, status)) {
        shown.push(toProposal(row, text, playbook));
        await setImmediate(); // a hundred diffs of a long playbook take seconds: others have their turn between two
      }
      return shown;
    },

    async accept(playbookId, proposalId) {
      await accept(playbookId, proposalId, "request");
      return await find(playbookId, proposalId);
    },

    async reject(playbookId, proposalId) {
      const source = sourceOf(library, playbookId);
      await store.transaction(async (tx) => {
        await lockPlaybook(tx, playbookId);
        const row = await holdProposal(tx, playbookId, proposalId);
        if (!row) throw noSuchProposal();
        if (isIn(await currentLine(tx, playbookId, source), row))
          throw new AppError("CONFLICT", "It was accepted: roll the playbook back to take that back");
        if (row.status !== "rejected")
          await decideProposal(tx, { proposal_id: proposalId, status: "rejected", decided_by: "request", version: null }, new Date());
      });
      return await find(playbookId, proposalId);
    },

    async onTrial(playbook, index) {
      if (promoteAfter === 0) return null;
      const open = await listProposals(store, playbook.id, "open");
      const mayBeTried = (repair: Repair) => changesSelectorsOnly(repair) && stillApplies(playbook, repair);
      const row = open.find(({ repair, step }) => step === index && mayBeTried(repair as Repair));
      return row ? { proposalId: row.proposal_id, step: repairedStep(row.repair as Repair) } : null;
    },

    async tried(playbookId, proposalId, clean) {
      const count = await countTrial(store, proposalId, clean);
      if (count >= promoteAfter && promoteAfter > 0) await accept(playbookId, proposalId, "promotion");
    },
  };
  return proposals;
}

const noSuchProposal = (): AppError => new AppError("NOT_FOUND", "The playbook has no such proposal");

/** The same step, repaired in the same way. */
const fingerprintOf = (repair: Repair): string => createHash("sha256").update(toJson(repair)).digest("hex");

/** @throws CONFLICT */
function rewrite(text: string, repair: Repair): { text: string } {
  try {
    return applyRepair(text, repair);
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== "VALIDATION_FAILED") throw error;
    throw new AppError("CONFLICT", "This node cannot read the version of the playbook that is to be changed: roll it back", {
      cause: error,
    });
  }
}

function fits(text: string, repair: Repair): boolean {
  try {
    rewrite(text, repair);
    return true;
  } catch (error) {
    if (error instanceof AppError && error.code === "CONFLICT") return false;
    throw error;
  }
}
