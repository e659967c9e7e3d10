import { describe, expect, it } from "vitest";
import { EventLog } from "../../pool/session/event-log.ts";
import type { NumberedEvent } from "../../shared/event.ts";

const at = "2026-01-01T00:00:00.000Z";
const step = (id: number): NumberedEvent => ({
  id,
  event: { type: "step", at, index: id, action: "goto", description: "", state: "started", attempt: 1, error: null },
});
const complete = (id: number): NumberedEvent => ({ id, event: { type: "complete", at, status: "completed" } });
const never = new AbortController().signal;

async function idsOf(events: AsyncIterable<NumberedEvent>): Promise<number[]> {
  const ids: number[] = [];
  for await (const { id } of events) ids.push(id);
  return ids;
}

describe("EventLog", () => {
  it("gives a late reader the past and then what comes, without gap or double", async () => {
    const log = new EventLog([step(1), step(2)]);
    const reading = idsOf(log.read(0, never));
    log.publish(step(3));
    log.publish(step(3));
    log.publish(complete(4));
    expect(await reading).toEqual([1, 2, 3, 4]);
  });

  it("gives a reader only what comes after the id it has", async () => {
    const log = new EventLog([step(1), step(2), step(3), complete(4)]);
    expect(await idsOf(log.read(2, never))).toEqual([3, 4]);
    expect(await idsOf(log.read(4, never))).toEqual([]);
    expect(await idsOf(log.read(99, never))).toEqual([]);
  });

  it("waits for an id that has not come yet", async () => {
    const log = new EventLog([step(1)]);
    const reading = idsOf(log.read(2, never));
    log.publish(step(2));
    log.publish(step(3));
    log.publish(complete(4));
    expect(await reading).toEqual([3, 4]);
  });

  it("lets a reader go that leaves while it waits", async () => {
    const log = new EventLog([step(1)]);
    const leaving = new AbortController();
    const reading = idsOf(log.read(0, leaving.signal));
    leaving.abort();
    expect(await reading).toEqual([1]);
  });

  it("ends its readers without complete when the run is no longer served here", async () => {
    const log = new EventLog([step(1)]);
    const reading = idsOf(log.read(0, never));
    log.end();
    expect(await reading).toEqual([1]);
  });
});
