/** What the edge counts, in the text format of Prometheus. */

export type Metrics = {
  /** What to tell the status of each answer of this endpoint. */
  countRequests(endpoint: string): (status: number) => void;
  relayed(source: "live" | "stored" | "events", bytes: number): void;
  /** A stream begins; call what is returned when it ends, once. */
  streamOpened(kind: "events" | "bytes"): () => void;
  render(nodes: { known: number; answering: number }): string;
};

export function createMetrics(): Metrics {
  const requests = new Map<string, Map<number, number>>(); // by endpoint, then status
  const bytes = { live: 0, stored: 0, events: 0 };
  const open = { events: 0, bytes: 0 };
  return {
    countRequests(endpoint) {
      const statuses = new Map<number, number>();
      requests.set(endpoint, statuses);
      return (status) => void statuses.set(status, (statuses.get(status) ?? 0) + 1);
    },
    relayed(source, count) {
      bytes[source] += count;
    },
    streamOpened(kind) {
      open[kind]++;
      let ended = false;
      return () => {
        if (!ended) open[kind]--;
        ended = true;
      };
    },
    render({ known, answering }) {
      return [
        ...series("requests_total", "counter", "Requests answered", [...requests].flatMap(requestLabels)),
        ...series("relay_bytes_total", "counter", "Bytes of recordings and events passed on", label("source", bytes)),
        ...series("open_streams", "gauge", "Responses that are being streamed", label("kind", open)),
        ...series("nodes", "gauge", "Nodes of the pool", label("state", { known, answering })),
        "",
      ].join("\n");
    },
  };
}

const requestLabels = ([endpoint, statuses]: [string, Map<number, number>]): [string, number][] =>
  [...statuses].map(([status, count]) => [`endpoint="${endpoint}",status="${status}"`, count]);

const label = (name: string, values: Record<string, number>): [string, number][] =>
  Object.entries(values).map(([key, value]) => [`${name}="${key}"`, value]);

function series(name: string, type: "counter" | "gauge", help: string, values: [string, number][]): string[] {
  const full = `understudy_edge_${name}`;
  return [`# HELP ${full} ${help}`, `# TYPE ${full} ${type}`, ...values.map(([labels, value]) => `${full}{${labels}} ${value}`)];
}
