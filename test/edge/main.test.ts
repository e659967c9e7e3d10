import { spawn } from "node:child_process";
import { once } from "node:events";
import { request } from "node:http";
import { describe, expect, it } from "vitest";
import { openCollector } from "../support/collector.ts";
import { findDeno } from "../support/deno.ts";
import { edgeEnv, KEYS } from "../support/edge.ts";
import { INHERITED } from "../support/environment.ts";

const deno = findDeno();
const runtimes: [string, string, string[]][] = [
  ["Node", process.execPath, ["edge/main.ts"]],
  ...(deno ? [["Deno", deno, ["run", "--allow-net", "--allow-env", "--allow-read", "edge/main.ts"]] as [string, string, string[]]] : []),
];

describe.each(runtimes)("the edge as a process on %s", (_, command, args) => {
  const spawnEdge = (env: Record<string, string>) => {
    const child = spawn(command, args, {
      cwd: new URL("../..", import.meta.url),
      env: { ...INHERITED, ...env },
      stdio: ["ignore", "ignore", "pipe"],
    });
    child.stderr.setEncoding("utf8");
    return child;
  };
  /** What it says until it ends or says where it listens. It goes on being heard: a process whose stderr is gone would die of its next word. */
  const heard = (child: ReturnType<typeof spawnEdge>): Promise<string> =>
    new Promise((resolve) => {
      let said = "";
      child.stderr.on("data", (text: string) => {
        said += text;
        if (said.includes('"url"')) resolve(said);
      });
      child.stderr.on("close", () => resolve(said));
    });
  const urlIn = (said: string) => /"url":"([^"]+)"/.exec(said)?.[1] ?? "";

  it("refuses to start without keys and token, and says so in plain words", async () => {
    const child = spawnEdge({});
    const exit = once(child, "exit");
    expect(await heard(child)).toMatch(/^The edge cannot start:\n {2}EDGE_API_KEYS is missing[^\n]*\n {2}POOL_TOKEN is missing[^\n]*\n$/);
    expect(await exit).toEqual([78, null]);
  });

  it("serves from several threads, counts for all of them, leaves its port to no other, and sends its last traces when it is told to end", async () => {
    await using collector = await openCollector();
    const tracing = {
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_EXPORTER_OTLP_HEADERS: "key=of-us",
      OTEL_RESOURCE_ATTRIBUTES: "a=b",
    };
    const env = { ...edgeEnv(["http://127.0.0.1:1"]), ...tracing, OTEL_SERVICE_NAME: "front", EDGE_THREADS: "3", LOG_LEVEL: "info" };
    const child = spawnEdge(env);
    const exited = once(child, "exit");
    const url = urlIn(await heard(child));
    await Promise.all(Array.from({ length: 30 }, () => get(`${url}/healthz`)));
    const metrics = await get(`${url}/metrics`, { authorization: `Bearer ${KEYS.admin}` });
    expect(metrics).toContain('requests_total{endpoint="GET /healthz",status="200"} 30');

    const second = spawnEdge({ ...env, EDGE_PORT: new URL(url).port });
    const refused = once(second, "exit");
    expect(await heard(second)).toMatch(/^Port \d+ on 127\.0\.0\.1 is taken; set EDGE_PORT to another[^\n]*\n$/);
    expect(await refused).toEqual([78, null]);

    child.kill("SIGINT"); // the terminal's
    child.kill("SIGINT"); // and npm's, which is the same wish
    expect(await exited).toEqual([0, null]);
    const healthy = collector.spans.filter(({ service, name }) => service === "front" && name === "GET /healthz");
    expect(healthy.filter(({ fields }) => fields["http.response.status_code"] === 200)).toHaveLength(30);
    expect(collector.heads.map(({ key }) => key)).toEqual(collector.heads.map(() => "of-us"));
    expect(collector.bodies[0]).toContain('{"key":"a","value":{"stringValue":"b"}}');
  });
});

/** On a connection of its own, so that the kernel deals it out anew. */
function get(url: string, headers: Record<string, string> = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    request(url, { headers, agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk) => {
        text += chunk;
      });
      response.on("end", () => resolve(text));
    })
      .on("error", reject)
      .end();
  });
}
