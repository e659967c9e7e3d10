/** Who may write to a run. */
import { AppError } from "../../shared/errors.ts";

/** A node, on this boot of it. */
export type Owner = { node_id: string; boot_id: string; node_url: string };
/** This attempt of the run, on this boot of this node. Whatever is written under another is refused. */
export type Fence = { run_id: string; node_id: string; boot_id: string; attempt: number };

type Owned = { node_id: string | null; boot_id: string | null; attempt: number };
export const holds = (fence: Fence, row: Owned): boolean =>
  row.node_id === fence.node_id && row.boot_id === fence.boot_id && row.attempt === fence.attempt;

/** The same text for the same fence. */
export const fenceKey = ({ run_id, node_id, boot_id, attempt }: Fence): string => JSON.stringify([run_id, node_id, boot_id, attempt]);

/** The run is over, or another's: its node was taken for lost. Whoever gets this stops working on the run and writes nothing more. */
export const fencedOff = (fence: Fence): AppError =>
  new AppError("CONFLICT", `Run ${fence.run_id} is over, or no longer this node's (attempt ${fence.attempt})`, {
    details: { reason: "fenced" },
  });
