import { availableParallelism, loadavg } from "node:os";

/** Load average of the last minute per CPU. */
export const loadPerCpu = (): number => (loadavg()[0] ?? 0) / availableParallelism();
