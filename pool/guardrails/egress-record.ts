/** What an egress listener refused and what it could not reach, in order, the latest few hundred of each. */

/** Rule, host and kind of request; never a path or query, they may hold secrets. `first`: not seen before in this run under this rule, host and port. */
export type Refusal = {
  outcome: "refused";
  seq: number;
  rule: string;
  reason: string;
  host: string;
  port: number;
  kind: "http" | "connect";
  first: boolean;
};
/** Allowed, but nobody answered. `code` as Node says it, e.g. `ECONNREFUSED`. */
export type Unreachable = { outcome: "unreachable"; seq: number; host: string; port: number; kind: "http" | "connect"; code: string };

export type EgressRecord = {
  /** Now, for `since`: later entries have a greater `seq`. */
  mark(): number;
  /** What happened after the mark, oldest first. */
  since(mark: number): (Refusal | Unreachable)[];
};

const KEPT = 200;
const DISTINCT = 200;

export type EgressLog = EgressRecord & {
  refused(refusal: Omit<Refusal, "outcome" | "seq" | "first">): Refusal;
  unreachable(failure: Omit<Unreachable, "outcome" | "seq">): void;
};

export function createEgressLog(): EgressLog {
  const entries: (Refusal | Unreachable)[] = [];
  const seen = new Set<string>();
  let seq = 0;
  const add = <E extends Refusal | Unreachable>(entry: E): E => {
    entries.push(entry);
    if (entries.length > KEPT) entries.shift();
    return entry;
  };
  return {
    mark: () => seq,
    since: (mark) => entries.filter((each) => each.seq > mark),
    refused(refusal) {
      const key = `${refusal.rule} ${refusal.host}:${refusal.port}`;
      const first = !seen.has(key) && seen.size < DISTINCT; // a page that tries a million hosts gets no million events
      if (first) seen.add(key);
      seq += 1;
      return add({ outcome: "refused", seq, ...refusal, first });
    },
    unreachable(failure) {
      seq += 1;
      add({ outcome: "unreachable", seq, ...failure });
    },
  };
}
