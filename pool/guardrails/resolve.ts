/** Names → addresses, by the system's resolver, so that `/etc/hosts` counts as it does for everybody on this machine. */
import { lookup } from "node:dns/promises";
import { withDeadline } from "../../shared/deadline.ts";

/** All addresses of a name, in any order; rejects when it has none. */
export type Resolve = (host: string) => Promise<readonly string[]>;

const LIMIT_MS = 5_000;

export const systemResolve: Resolve = async (host) => {
  const answers = await withDeadline(LIMIT_MS, () => lookup(host, { all: true, order: "verbatim" }));
  return answers.map((answer) => answer.address);
};
