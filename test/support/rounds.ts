/** How often a property is tried: few times in each run, each time with other values; in a soak (`vitest.soak.config.ts`) many times. */
export const rounds = (usual: number): { numRuns: number } => ({ numRuns: usual * Number(process.env.TEST_ROUNDS ?? 1) });
