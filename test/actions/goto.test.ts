import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ActionError } from "../../pool/actions/action-error.ts";
import { takeScreenshot } from "../../pool/actions/screenshot.ts";
import { type Harness, html, openHarness } from "./harness.ts";

describe("goto", () => {
  let harness: Harness;
  beforeAll(async () => {
    harness = await openHarness();
  });
  afterAll(() => harness?.[Symbol.asyncDispose]());

  it("is there when the document is read to its end, not only begun, and does not wait for pictures", async () => {
    await using bench = await harness.open("<p>start</p>", {
      "/two": (_, response) => {
        response.writeHead(200, { "Content-Type": "text/html" }).write("<h1>Two</h1><img src=/never>");
        setTimeout(() => response.end("<script>document.title = 'read'</script>"), 200);
      },
      "/never": () => {},
    });
    await expect(bench.act("goto", { url: `${harness.site.url}/two` })).resolves.toEqual({
      text: null,
      url: `${harness.site.url}/two`,
      dispatched: true,
    });
    expect(await bench.read("document.title")).toBe("read");
  });

  it("tells the status of a page that is an error, follows redirects, stays for fragments", async () => {
    const { site } = harness;
    await using bench = await harness.open("<p id=here>start</p>", {
      "/gone": (_, response) => void response.writeHead(410, { "Content-Type": "text/html" }).end("<h1>Gone</h1>"),
      "/bare": (_, response) => void response.writeHead(503).end(),
      "/old": (_, response) => void response.writeHead(302, { Location: "/new" }).end(),
      "/new": "<h1>New</h1>",
      "/nothing": (_, response) => void response.writeHead(204).end(),
      "/file": (_, response) =>
        void response
          .writeHead(200, { "Content-Type": "application/zip", "Content-Disposition": "attachment; filename=report.zip" })
          .end("PK"),
    });
    await expect(bench.act("goto", { url: `${site.url}/gone` })).resolves.toMatchObject({ text: "410 Gone", url: `${site.url}/gone` });
    await expect(bench.act("goto", { url: `${site.url}/bare` })).resolves.toMatchObject({ text: "503 Service Unavailable" });
    await expect(bench.act("goto", { url: `${site.url}/missing` })).resolves.toMatchObject({ text: "404 Not Found" });
    await expect(bench.act("goto", { url: `${site.url}/old` })).resolves.toMatchObject({ text: null, url: `${site.url}/new` });
    await expect(bench.act("goto", { url: `${site.url}/new#part` })).resolves.toMatchObject({ text: null, url: `${site.url}/new#part` });
    await expect(bench.act("goto", { url: `${site.url}/nothing` })).resolves.toMatchObject({
      text: "204 No Content",
      url: `${site.url}/new#part`,
    });
    await expect(bench.act("goto", { url: `${site.url}/file` })).resolves.toMatchObject({
      text: "Downloading report.zip",
      url: `${site.url}/new#part`,
    });
    await expect(bench.act("goto", { url: "data:text/html,<p>x" })).resolves.toMatchObject({ text: null });
  });

  it("waits for its own document, not for the error page that Chrome still puts up after the one before", async () => {
    const { site } = harness;
    await using bench = await harness.open("<p>start</p>", {
      "/bare": (_, response) => void response.writeHead(503).end(),
      "/late": (_, response) => {
        response.writeHead(404, { "Content-Type": "text/html" }).write("<h1>Not");
        setTimeout(() => response.end(" found</h1>"), 100);
      },
    });
    await bench.act("goto", { url: `${site.url}/bare` });
    await expect(bench.act("goto", { url: `${site.url}/late` })).resolves.toMatchObject({ text: "404 Not Found", url: `${site.url}/late` });
    expect(await bench.read("document.body.innerText")).toBe("Not found");
  });

  it("fails in words, without what the URL carries", async () => {
    await using bench = await harness.open("<p>start</p>", {
      "/slow": () => {},
      "/half": (_, response) => void response.writeHead(200, { "Content-Type": "text/html" }).write("<h1>Half"),
    });
    const closed = createServer().listen(0);
    const { port } = closed.address() as AddressInfo;
    await new Promise((resolve) => closed.close(resolve));
    const fail = async (url: string, timeout_ms = 5_000) => {
      const error = (await bench.act("goto", { url, timeout_ms }).catch((thrown: unknown) => thrown)) as ActionError;
      expect(error).toBeInstanceOf(ActionError);
      expect(JSON.stringify([error.message, error.details])).not.toContain("s3cret");
      return error;
    };
    expect((await fail(`http://u:s3cret@127.0.0.1:${port}/a?token=s3cret#s3cret`)).message).toBe(
      `Cannot open http://127.0.0.1:${port}/a: the connection was refused (net::ERR_CONNECTION_REFUSED)`,
    );
    expect((await fail("orders?token=s3cret")).message).toContain("it is not an absolute URL");
    expect((await fail("javascript:alert('s3cret')")).message).toContain("use the action evaluate");
    expect((await fail(`${harness.site.url}/slow?s3cret`, 500)).message).toBe(
      `Cannot open ${harness.site.url}/slow: the server did not answer (for 0.5 s)`,
    );
    expect((await fail(`${harness.site.url}/half?s3cret`, 500)).message).toBe(
      `Cannot open ${harness.site.url}/half: the document was not read to its end (for 0.5 s)`,
    );
  });

  it("leaves a page that hangs, and one that does not want to be left", async () => {
    await using bench = await harness.open(
      "<script>addEventListener('beforeunload', (e) => { e.preventDefault(); e.returnValue = 'stay' })</script><button>x</button>",
      { "/two": "<h1>Two</h1>" },
    );
    await bench.act("click", { selector: "button" });
    await expect(bench.act("goto", { url: `${harness.site.url}/two` })).resolves.toMatchObject({ url: `${harness.site.url}/two` });
  });

  it("takes a picture of what there is, and gives up on a page that hangs", async () => {
    await using bench = await harness.open(`<button onclick="setTimeout(() => { while (true) {} })">Hang</button>`, {
      "/two": (_, response) => html(response, "<h1>Two</h1>"),
    });
    const picture = await takeScreenshot(bench.page, { signal: bench.stop.signal });
    expect([...picture.subarray(0, 3)]).toEqual([0xff, 0xd8, 0xff]);
    await bench.act("click", { selector: "text=Hang", timeout_ms: 500 }).catch(() => {});
    await expect(takeScreenshot(bench.page, { signal: bench.stop.signal, limitMs: 300 })).rejects.toThrow(
      "Cannot take a screenshot: the page gave none within 300 ms",
    );
  });
});
