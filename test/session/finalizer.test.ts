import { describe, expect, it, vi } from "vitest";
import { finalize, type PhaseName } from "../../pool/session/finalizer.ts";
import { AppError } from "../../shared/errors.ts";
import type { Warning } from "../../shared/run-status.ts";

const PHASES: PhaseName[] = ["publishStatus", "cleanup", "persist"];

describe("finalize", () => {
  it.each([[], ["publishStatus"], ["cleanup"], ["persist"], PHASES] as PhaseName[][])(
    "runs every phase in order though %s fails",
    async (...failing) => {
      const done: string[] = [];
      const left: string[] = [];
      const warnings: Warning[] = [];
      const phase = (name: PhaseName) => ({
        work: async () => {
          done.push(name);
          if (failing.includes(name)) throw new AppError("INTERNAL", `${name} broke`);
        },
        failed: () => void left.push(name),
      });
      await finalize({ publishStatus: phase("publishStatus"), cleanup: phase("cleanup"), persist: phase("persist") }, (warning) =>
        warnings.push(warning),
      );
      expect(done).toEqual(PHASES);
      expect(left).toEqual(failing);
      expect(warnings.map(({ phase }) => phase)).toEqual(failing);
    },
  );

  it("leaves a phase that hangs when its time is over, tells it so by its signal, and goes on", async () => {
    vi.useFakeTimers();
    try {
      const warnings: Warning[] = [];
      let told: unknown;
      const ended = finalize(
        {
          publishStatus: { work: async () => {} },
          cleanup: {
            work: (signal) =>
              new Promise(() => {
                signal.addEventListener("abort", () => {
                  told = signal.reason;
                });
              }),
          },
          persist: { work: async () => {} },
        },
        (warning) => warnings.push(warning),
      );
      await vi.runAllTimersAsync();
      await ended;
      expect(told).toBeInstanceOf(AppError);
      expect(warnings).toMatchObject([{ phase: "cleanup", error: { code: "INTERNAL" } }]);
    } finally {
      vi.useRealTimers();
    }
  });

  it("does not stop because telling of a failure fails too", async () => {
    const warnings: Warning[] = [];
    const broken = {
      work: async () => {
        throw new Error("first");
      },
      failed: () => {
        throw new Error("second");
      },
    };
    await finalize({ publishStatus: broken, cleanup: { work: async () => {} }, persist: { work: async () => {} } }, (warning) =>
      warnings.push(warning),
    );
    expect(warnings).toHaveLength(2);
  });
});
