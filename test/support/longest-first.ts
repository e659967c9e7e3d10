/** The order of the files: what boots whole systems or browsers takes longest, and begun last it would run alone at the end. */
import { BaseSequencer, type TestSequencer, type TestSpecification, type Vitest } from "vitest/node";

const LONGEST = [/\/test\/(?:e2e|start)\//, /\/test\/(?:browsers|recording|actions|store|queue|drift|agent)\//];

function kindOf({ moduleId }: TestSpecification): number {
  const kind = LONGEST.findIndex((path) => path.test(moduleId));
  return kind === -1 ? LONGEST.length : kind;
}

export class LongestFirst implements TestSequencer {
  readonly #within: BaseSequencer;

  constructor(vitest: Vitest) {
    this.#within = new BaseSequencer(vitest);
  }

  shard(files: TestSpecification[]): Promise<TestSpecification[]> {
    return this.#within.shard(files);
  }

  /** Within a kind as Vitest has it: by what they took the last time, in a new checkout by size. */
  async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    return (await this.#within.sort(files)).toSorted((a, b) => kindOf(a) - kindOf(b));
  }
}
