import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { recycledSlabs } from "../../edge/main-node-slabs.ts";
import { createSlab } from "../../edge/wire/slab.ts";
import { edgeOnNode, KEYS, type TestEdge } from "../support/edge.ts";
import { StandInNode } from "../support/stand-in-node.ts";

const FULL = 256 * 1024;

describe("a slab", () => {
  it("gives out each byte once, grows when a read fills it, and is never written to again", () => {
    const slab = createSlab();
    const chunks: Uint8Array[] = [];
    let next = 0;
    for (let i = 0; i < 200; i++) {
      const room = slab.room();
      expect(room.byteLength).toBeGreaterThanOrEqual(4 * 1024);
      const bytes = i % 3 === 0 ? room.byteLength : Math.min(room.byteLength, 5_000);
      room.fill(next++ % 256, 0, bytes);
      chunks.push(slab.take(bytes));
    }
    expect(chunks.every((chunk, i) => chunk.every((byte) => byte === i % 256))).toBe(true);
    expect(Math.max(...chunks.map(({ byteLength }) => byteLength))).toBeGreaterThan(FULL / 2);
  });

  it("takes nothing before there is room", () => {
    expect(() => createSlab().take(1)).toThrow("room() comes first");
  });

  it("that was left with a chunk still out is not given out again", () => {
    const first = recycledSlabs.make(FULL);
    recycledSlabs.handedOut?.(first);
    recycledSlabs.left?.(first);
    expect(recycledSlabs.make(FULL).buffer).not.toBe(first.buffer);
  });
});

describe("traces relayed side by side over slabs that are used again", () => {
  const bytes = new Uint8Array(randomBytes(12 * 1024 * 1024));
  const expected = createHash("sha256").update(bytes).digest("hex");
  let node: StandInNode;
  let edge: TestEdge;
  let path: string;
  beforeAll(async () => {
    node = await StandInNode.start();
    edge = await edgeOnNode([node]);
    path = `/runs/${node.store.addRun({ owner: node, liveTrace: bytes, storedTrace: bytes }).run_id}/recording/trace`;
  });
  afterAll(async () => {
    await edge[Symbol.asyncDispose]();
    await node[Symbol.asyncDispose]();
  });

  const open = (): Socket => {
    const url = new URL(edge.url);
    const socket = connect(Number(url.port), url.hostname);
    socket.on("error", () => {}); // some leave in the middle
    socket.write(`GET ${path} HTTP/1.1\r\nHost: edge\r\nAuthorization: Bearer ${KEYS.tester}\r\n\r\n`);
    return socket;
  };

  it("arrive byte for byte, whether their readers are quick, slow, or leave and come again", async () => {
    const quick = async () =>
      createHash("sha256")
        .update(new Uint8Array(await (await edge.get(path)).arrayBuffer()))
        .digest("hex");
    const slow = async () => {
      const hash = createHash("sha256");
      const response = await edge.get(path);
      for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
        hash.update(chunk);
        await new Promise(setImmediate); // others get on meanwhile
        await new Promise(setImmediate);
      }
      return hash.digest("hex");
    };
    const leaving = async () => {
      for (let i = 0; i < 10; i++) {
        const socket = open();
        await once(socket, "data");
        await new Promise(setImmediate);
        socket.destroy();
      }
      return quick();
    };
    const hashes = await Promise.all([quick(), quick(), slow(), slow(), leaving(), leaving(), quick().then(quick)]);
    expect(new Set(hashes)).toEqual(new Set([expected]));
  });
});
