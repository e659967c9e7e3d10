import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { observePeers, type Peer, type Watch } from "../../pool/queue/peers.ts";
import { BEAT_MS, LOST_AFTER_MS } from "../../pool/store/nodes.ts";

const LIMITS = { everyMs: 2_000, lostAfterMs: 15_000 };
const start: Watch = { seenAt: null, peers: new Map() };
const peer = (beat: string | null, boot_id = "boot-b"): Peer => ({ node_id: "node-b", boot_id, beat });

/** Replays looks as [moment, what was seen]; returns the moments at which somebody was called lost. */
function replay(looks: [number, Peer[]][]): number[] {
  const lostAt: number[] = [];
  looks.reduce((watch, [now, seen]) => {
    const [next, lost] = observePeers(watch, seen, now, LIMITS);
    if (lost.length > 0) lostAt.push(now);
    return next;
  }, start);
  return lostAt;
}
const every = (fromMs: number, untilMs: number, seen: (now: number) => Peer[]): [number, Peer[]][] =>
  Array.from({ length: Math.floor((untilMs - fromMs) / 2_000) + 1 }, (_, i) => [fromMs + i * 2_000, seen(fromMs + i * 2_000)]);

describe("watching peers", () => {
  it("calls a peer lost once its heartbeat has stood still for 15 s", () => {
    expect(replay(every(0, 16_000, () => [peer("1")]))).toEqual([16_000]);
    expect(replay(every(0, 14_000, () => [peer("1")]))).toEqual([]);
  });

  it("calls a boot lost that is not among the nodes at all", () => {
    expect(replay(every(0, 16_000, () => [peer(null)]))).toEqual([16_000]);
  });

  it("begins anew when the heartbeat moves, or another boot is there", () => {
    expect(replay(every(0, 60_000, (now) => [peer(String(Math.floor(now / 12_000)))]))).toEqual([]);
    expect(replay(every(0, 24_000, (now) => [peer("1", now < 12_000 ? "boot-b" : "boot-c")]))).toEqual([]);
  });

  it("believes nothing from before it was itself cut off or frozen", () => {
    const looks = [...every(0, 12_000, () => [peer("1")]), ...every(30_000, 44_000, () => [peer("1")])];
    expect(replay(looks)).toEqual([]);
    expect(replay([...looks, [46_000, [peer("1")]]])).toEqual([46_000]);
  });

  it("calls a peer lost within 15 s of its death, wherever between two heartbeats and two looks that was", () => {
    const limits = { everyMs: BEAT_MS, lostAfterMs: LOST_AFTER_MS };
    const phase = fc.integer({ min: 0, max: BEAT_MS - 1 });
    fc.assert(
      fc.property(phase, phase, fc.integer({ min: 10_000, max: 20_000 }), (beatPhase, lookPhase, diedAt) => {
        let watch = start;
        for (let now = lookPhase; ; now += BEAT_MS) {
          const beat = Math.floor((Math.min(now, diedAt) - beatPhase) / BEAT_MS);
          const [next, lost] = observePeers(watch, [peer(String(beat))], now, limits);
          watch = next;
          if (lost.length === 0) continue;
          expect(now - diedAt).toBeGreaterThan(0);
          expect(now - diedAt).toBeLessThanOrEqual(15_000);
          return;
        }
      }),
    );
  });

  it("never calls a peer lost that it saw move within 15 s, whatever the looks and their delays", () => {
    const look = fc.record({ delayMs: fc.integer({ min: 1, max: 9_000 }), beat: fc.nat(3) });
    fc.assert(
      fc.property(fc.array(look, { maxLength: 60 }), (looks) => {
        let now = 0;
        let watch = start;
        let moved = { beat: "", at: 0 };
        for (const { delayMs, beat } of looks) {
          now += delayMs;
          if (moved.beat !== String(beat)) moved = { beat: String(beat), at: now };
          const [next, lost] = observePeers(watch, [peer(String(beat))], now, LIMITS);
          watch = next;
          if (lost.length > 0) expect(now - moved.at).toBeGreaterThanOrEqual(LIMITS.lostAfterMs);
        }
      }),
    );
  });
});
