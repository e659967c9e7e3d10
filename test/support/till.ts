/** A shop of one page that counts how often each customer has paid: what a run does twice shows here. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

export type Till = AsyncDisposable & {
  url: string;
  port: number;
  /** Payments by customer. */
  paid: ReadonlyMap<string, number>;
};

const page = (body: string) => `<!doctype html><title>Shop</title><h1>Shop</h1>${body}`;

export async function openTill(): Promise<Till> {
  const paid = new Map<string, number>();
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? "/", "http://till");
    const customer = url.searchParams.get("customer") ?? "";
    response.setHeader("Content-Type", "text/html");
    if (request.method === "POST") {
      paid.set(customer, (paid.get(customer) ?? 0) + 1);
      response.end(page("<p id=done>Paid. Thank you!</p>"));
    } else {
      response.end(page(`<form method=post action="/?customer=${encodeURIComponent(customer)}"><button id=pay>Pay</button></form>`));
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    paid,
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

/** Pays once; `looksMs`: how long it looks at the page before and after. */
export const payOnce = (url: string, customer: string, looksMs = 300) => {
  const look = { action: "evaluate", params: { expression: `new Promise((done) => setTimeout(() => done("seen"), ${looksMs}))` } };
  return {
    playbook: {
      id: "pay-once",
      guardrails: { allow_private_networks: true },
      steps: [
        { action: "goto", params: { url: `${url}/?customer=${customer}` } },
        look,
        { action: "click", selector: "#pay", once: true, on_failure: "abort", verify: { expect_text_on_page: "Thank you" } },
        look,
        { action: "extract", selector: "#done" },
      ],
    },
  };
};
