/** What the edge counts, in the text format of Prometheus. */

/** Plain data, so that threads can tell each other. `requests` by endpoint, then status. */
export type Counts = {
  requests: Record<string, Record<number, number>>;
  relayedBytes: { live: number; stored: number; events: number };
  openStreams: { events: number; bytes: number };
};

/** The other threads of this edge, which count for themselves. */
export type Peers = {
  /** From now on they are told this when they ask. */
  answer(own: () => Counts): void;
  ask(): Promise<Counts[]>;
};
export const NO_PEERS: Peers = { answer() {}, ask: async () => [] };

export type Metrics = {
  /** What to tell the status of each answer of this endpoint. */
  countRequests(endpoint: string): (status: number) => void;
  relayed(source: keyof Counts["relayedBytes"], bytes: number): void;
  /** A stream begins; call what is returned when it ends. */
  streamOpened(kind: keyof Counts["openStreams"]): () => void;
  /** Of this thread and its peers together. */
  render(nodes: { known: number; answering: number }): Promise<string>;
};

export function createMetrics(peers: Peers): Metrics {
  const counts: Counts = { requests: {}, relayedBytes: { live: 0, stored: 0, events: 0 }, openStreams: { events: 0, bytes: 0 } };
  peers.answer(() => counts);
  return {
    countRequests(endpoint) {
      const statuses: Record<number, number> = {};
      counts.requests[endpoint] = statuses;
      return (status) => {
        statuses[status] = (statuses[status] ?? 0) + 1;
      };
    },
    relayed(source, bytes) {
      counts.relayedBytes[source] += bytes;
    },
    streamOpened(kind) {
      counts.openStreams[kind]++;
      let ended = false;
      return () => {
        if (!ended) counts.openStreams[kind]--;
        ended = true;
      };
    },
    async render({ known, answering }) {
      const all = [counts, ...(await peers.ask())];
      return [
        ...series("requests_total", "counter", "Requests answered", all.map(requestLabels)),
        ...series(
          "relay_bytes_total",
          "counter",
          "Bytes of recordings and events passed on",
          all.map((each) => labels("source", each.relayedBytes)),
        ),
        ...series(
          "open_streams",
          "gauge",
          "Responses that are being streamed",
          all.map((each) => labels("kind", each.openStreams)),
        ),
        ...series("nodes", "gauge", "Nodes of the pool", [labels("state", { known, answering })]),
        "",
      ].join("\n");
    },
  };
}

type Labelled = [labels: string, value: number][];

const labels = (name: string, values: Record<string, number>): Labelled =>
  Object.entries(values).map(([key, value]) => [`${name}="${key}"`, value]);

const requestLabels = ({ requests }: Counts): Labelled =>
  Object.entries(requests).flatMap(([endpoint, statuses]) =>
    Object.entries(statuses).map(([status, count]): [string, number] => [`endpoint="${endpoint}",status="${status}"`, count]),
  );

/** One metric; what several say of the same labels is added up. */
function series(name: string, type: "counter" | "gauge", help: string, values: Labelled[]): string[] {
  const full = `understudy_edge_${name}`;
  const sums = new Map<string, number>();
  for (const [key, value] of values.flat()) sums.set(key, (sums.get(key) ?? 0) + value);
  return [`# HELP ${full} ${help}`, `# TYPE ${full} ${type}`, ...[...sums].map(([key, sum]) => `${full}{${key}} ${sum}`)];
}
