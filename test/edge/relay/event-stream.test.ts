import { describe, expect, it } from "vitest";
import { type EventStreamOptions, eventStream } from "../../../edge/relay/event-stream.ts";
import { KEEPALIVE } from "../../../shared/sse.ts";

function options(more: Partial<EventStreamOptions> = {}) {
  const told = { ended: 0, stopped: [] as unknown[], broken: [] as unknown[] };
  const given: EventStreamOptions = {
    keepaliveMs: 60_000,
    onPassed: () => {},
    onEnd: () => {
      told.ended++;
    },
    onBroken: (error) => told.broken.push(error),
    stop: (reason) => told.stopped.push(reason),
    ...more,
  };
  return { told, given };
}
const text = ({ value }: { value?: Uint8Array }) => new TextDecoder().decode(value);

describe("an event stream", () => {
  it("says something at once, before its source does", async () => {
    async function* silent(): AsyncGenerator<string> {
      await new Promise(() => {});
    }
    const reader = eventStream(silent(), options().given).getReader();
    expect(text(await reader.read())).toBe(KEEPALIVE);
  });

  it("sends a comment whenever nothing has come for a while, and loses nothing over it", async () => {
    let give = (_: string): void => {};
    async function* slow() {
      yield await new Promise<string>((resolve) => {
        give = resolve;
      });
    }
    const { told, given } = options({ keepaliveMs: 5 });
    const reader = eventStream(slow(), given).getReader();
    for (let i = 0; i < 4; i++) expect(text(await reader.read())).toBe(KEEPALIVE);
    give("data: x\n\n");
    expect(text(await reader.read())).toBe("data: x\n\n");
    expect((await reader.read()).done).toBe(true);
    expect(told).toEqual({ ended: 1, stopped: [], broken: [] });
  });

  it("takes nothing from its source for a reader who does not read", async () => {
    let taken = 0;
    async function* eager() {
      for (;;) yield `data: ${taken++}\n\n`;
    }
    const reader = eventStream(eager(), options().given).getReader();
    await reader.read();
    await new Promise(setImmediate);
    expect(taken).toBe(0);
    await reader.read();
    await new Promise(setImmediate);
    expect(taken).toBe(1);
  });

  it("tells its source to stop when the reader leaves, and hears no more of it", async () => {
    const stop = new AbortController();
    async function* waiting(): AsyncGenerator<string> {
      await new Promise((_, reject) => stop.signal.addEventListener("abort", () => reject(stop.signal.reason)));
    }
    const { told, given } = options({ stop: (reason) => stop.abort(reason) });
    const reader = eventStream(waiting(), given).getReader();
    await reader.read();
    const pending = reader.read();
    await reader.cancel("left");
    expect((await pending).done).toBe(true);
    expect([told.ended, stop.signal.reason]).toEqual([1, "left"]);
  });

  it("is an error when its source gives up", async () => {
    async function* failing(): AsyncGenerator<string> {
      yield "data: x\n\n";
      throw new Error("gave up");
    }
    const { told, given } = options();
    const reader = eventStream(failing(), given).getReader();
    await reader.read();
    await reader.read();
    await expect(reader.read()).rejects.toThrow("gave up");
    expect([told.ended, told.broken.length]).toEqual([1, 1]);
  });
});
