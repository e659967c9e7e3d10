/** One program that a launcher started, an edge or a node, as a child process. */
import { type ChildProcess, spawn } from "node:child_process";
import { constants } from "node:os";
import { pause } from "../shared/deadline.ts";

const READY_POLL_MS = 50;

export type Exit = { code: number | null; signal: NodeJS.Signals | null };
/** Where its logs go: this terminal, or an open file. */
export type Output = "inherit" | number;

/** A program that ended while it was being started. */
export class EndedEarly extends Error {
  override readonly name = "EndedEarly";
  readonly exit: Exit;
  constructor(program: string, exit: Exit) {
    super(`${program} ended before it was ready (${describeExit(exit)})`);
    this.exit = exit;
  }
}

/** A process of its own group: Ctrl+C in a terminal reaches the launcher alone, which knows in what order to end them. */
export class Program {
  readonly name: string;
  readonly exited: Promise<Exit>;
  readonly #child: ChildProcess;

  constructor(options: { name: string; file: string; flags?: string[]; args?: string[]; environment: NodeJS.ProcessEnv; output: Output }) {
    this.name = options.name;
    const args = [...(options.flags ?? []), "--import", import.meta.resolve("./lifeline.ts"), options.file, ...(options.args ?? [])];
    const child = spawn(process.execPath, args, {
      env: options.environment,
      stdio: ["ignore", options.output, options.output, "ipc"],
      detached: true,
    });
    this.#child = child;
    this.exited = new Promise((resolve, reject) => {
      child.once("error", (cause) => reject(new Error(`Cannot start ${this.name}: ${cause.message}`, { cause })));
      child.once("exit", (code, signal) => resolve({ code, signal }));
    });
    this.exited.catch(() => {}); // whoever waits for it hears of it
  }

  /** Waits until its `/readyz` answers 200. @throws when it ends before, or is not ready in time; the message holds the reasons it gave */
  async ready(url: string, limitMs: number): Promise<void> {
    const gone = this.exited.then((exit) => {
      throw new EndedEarly(this.name, exit);
    });
    gone.catch(() => {}); // too late to matter once it is ready
    const limit = performance.now() + limitMs;
    for (;;) {
      const reasons = await Promise.race([notReady(url), gone]);
      if (reasons === null) return;
      if (performance.now() > limit) throw new Error(`${this.name} was not ready within ${limitMs / 1000} s: ${reasons}`);
      await Promise.race([pause(READY_POLL_MS), gone]);
    }
  }

  /** Resolves when it answers at all, or has ended: it has said by then what is wrong with its settings. */
  async judged(url: string): Promise<void> {
    const gone = this.exited.then(
      () => true,
      () => true,
    );
    const answers = () =>
      fetch(`${url}/healthz`, { signal: AbortSignal.timeout(2_000) }).then(
        () => true,
        () => false,
      );
    while (!(await Promise.race([answers(), gone]))) await Promise.race([pause(READY_POLL_MS), gone]);
  }

  /** Asks it to end, and waits; after `limitMs` it is killed. */
  async end(limitMs: number): Promise<Exit> {
    this.#child.kill("SIGTERM");
    const timer = setTimeout(() => this.kill(), limitMs);
    try {
      return await this.exited;
    } finally {
      clearTimeout(timer);
    }
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }
}

/** null: ready. Else why not, for people. */
async function notReady(url: string): Promise<string | null> {
  try {
    const answer = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(2_000) });
    return answer.ok ? null : await answer.text();
  } catch {
    return "it does not listen yet";
  }
}

/** As shells count: a signal is 128 and its number. */
export const exitCode = ({ code, signal }: Exit): number => code ?? 128 + (signal === null ? 0 : constants.signals[signal]);

export const describeExit = ({ code, signal }: Exit): string => (signal === null ? `exit code ${code}` : `killed by ${signal}`);
