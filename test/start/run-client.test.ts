import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { formatEvent } from "../../shared/sse.ts";
import { createRunClient } from "../../start/run-client.ts";

const at = "2026-01-02T09:00:00.000Z";
const queued = formatEvent({ id: 1, event: { type: "status", at, status: "queued", previous: null, node_id: null, attempt: 1 } });
const complete = formatEvent({ id: 2, event: { type: "complete", at, status: "completed" } });

describe("the demo's client", () => {
  it("takes a stream up again after the last event it brought", async () => {
    const asked: unknown[] = [];
    await using api = await serve((request, response) => {
      asked.push(request.headers["last-event-id"]);
      if (asked.length === 1) response.write(queued, () => response.destroy());
      else response.end(complete);
    });
    const ids: number[] = [];
    for await (const { id } of api.client.events("r")) ids.push(id);
    expect(ids).toEqual([1, 2]);
    expect(asked).toEqual(["0", "1"]);
  });

  it("saves the trace and every screenshot of the manifest", async () => {
    const answers: Record<string, string> = {
      "/runs/r/recording/trace": "PK-bytes",
      "/runs/r/recording/manifest": JSON.stringify({
        run_id: "r",
        state: "ready",
        artifacts: [
          { name: "trace.zip", kind: "trace", bytes: 8, sha256: null },
          { name: "screenshots/0001_click.jpg", kind: "screenshot", bytes: 3, sha256: null },
        ],
      }),
      "/runs/r/recording/screenshots/0001_click.jpg": "jpg",
    };
    await using api = await serve((request, response) => response.setHeader("X-Trace-Source", "stored").end(answers[request.url ?? ""]));
    const saved = await api.client.download("r", api.folder);
    expect(saved).toEqual({ trace: join(api.folder, "trace.zip"), bytes: 8, source: "stored", screenshots: 1 });
    expect(await readFile(join(api.folder, "screenshots/0001_click.jpg"), "utf8")).toBe("jpg");
  });

  it("shows what the API said when it refuses", async () => {
    await using api = await serve((_request, response) => response.writeHead(422).end('{"error":{"code":"VALIDATION_FAILED"}}'));
    await expect(api.client.create({})).rejects.toThrow('POST /runs answered 422: {"error":{"code":"VALIDATION_FAILED"}}');
  });
});

async function serve(answer: RequestListener) {
  const server = createServer(answer).listen(0, "127.0.0.1");
  await once(server, "listening");
  const folder = await mkdtemp(join(tmpdir(), "us-client-"));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    folder,
    client: createRunClient(url, "key", AbortSignal.timeout(10_000)),
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await rm(folder, { recursive: true });
    },
  };
}
