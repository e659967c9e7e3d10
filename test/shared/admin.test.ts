import { expect, it } from "vitest";
import { AuditQuerySchema, DrainQuerySchema, emptiest } from "../../shared/admin.ts";
import type { Member } from "../../shared/node.ts";

const node = (node_id: string, busy: number, more: Partial<Member> = {}): Member => ({
  ...{ node_id, boot_id: "b", url: "http://n", state: "ready", slots: { total: 4, busy }, queued: 0, browsers: { warm: 0, busy }, load: 0 },
  ...{ tier: "netns", version: "1", started_at: "2026-01-01T00:00:00.000Z", last_seen_at: "2026-01-01T00:00:00.000Z", ...more },
});

it("names the node with the fewest runs in hand, the one that started last of several, and never the last that takes runs", () => {
  expect(emptiest([node("a", 2), node("b", 1), node("c", 3)])).toEqual({ node_id: "b", busy: 1, reason: null });
  expect(emptiest([node("a", 0), node("b", 0, { started_at: "2026-01-02T00:00:00.000Z" })]).node_id).toBe("b");
  expect(emptiest([node("a", 1), node("b", 0, { state: "draining" }), node("c", 0, { state: "lost" })])).toEqual({
    node_id: null,
    busy: null,
    reason: "a is the only node that takes runs",
  });
  expect(emptiest([])).toEqual({ node_id: null, busy: null, reason: "No node takes runs" });
});

it("takes no empty text for a number: a drain without a grace is not one of 0 s", () => {
  expect(DrainQuerySchema.parse({})).toEqual({});
  expect(DrainQuerySchema.parse({ grace_s: "0" })).toEqual({ grace_s: 0 });
  expect(DrainQuerySchema.parse({ grace_s: "1.5" })).toEqual({ grace_s: 1.5 });
  for (const grace_s of ["", " ", "0x10", "1e2", "-1", "86401"])
    expect(DrainQuerySchema.safeParse({ grace_s }).success, grace_s).toBe(false);
  expect(AuditQuerySchema.parse({ before: "2147483647" })).toEqual({ before: 2_147_483_647, limit: 100 });
  for (const query of [{ before: "3000000000" }, { before: "1.5" }, { limit: "" }, { limit: "1001" }])
    expect(AuditQuerySchema.safeParse(query).success).toBe(false);
});
