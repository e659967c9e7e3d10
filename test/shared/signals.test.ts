import { EventEmitter } from "node:events";
import { expect, it } from "vitest";
import { signalToEnd } from "../../shared/signals.ts";

it("a second signal ends a node at once, whichever it is; the echo of the first is not heard", async () => {
  const [process, ended] = [new EventEmitter(), [] as string[]];
  let nowMs = 5_000;
  const asked = signalToEnd(
    process,
    (signal) => ended.push(signal),
    () => nowMs,
  );
  process.emit("SIGINT");
  process.emit("SIGTERM"); // as npm passes on what the terminal has told everybody
  expect(await asked).toBe("SIGINT");
  expect(ended).toEqual([]);
  nowMs += 1_000;
  process.emit("SIGINT");
  expect(ended).toEqual(["SIGINT"]);
});
