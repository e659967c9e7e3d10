import { expect, it } from "vitest";
import { nextSignal } from "../../start/signals.ts";

it("a signal that is awaited again leaves no moment in which the next would end the process", async () => {
  const listening = () => process.listenerCount("SIGTERM");
  const before = listening();
  const first = nextSignal();
  const again = first.then(() => void nextSignal());
  process.emit("SIGTERM", "SIGTERM");
  expect(listening()).toBeGreaterThan(before);
  expect(await first).toBe("SIGTERM");
  await again;
  await new Promise((resolve) => setImmediate(resolve));
  expect(listening()).toBe(before + 1); // the one that waits now
});
