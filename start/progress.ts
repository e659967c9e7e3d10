/** A run's events as lines for people: one line a step in a pipe, and on a terminal also what is being done right now. */
import { styleText } from "node:util";
import type { RunEvent } from "../shared/event.ts";

type Terminal = { write(text: string): unknown; isTTY?: boolean; columns?: number };
type Style = Parameters<typeof styleText>[0];

const CLEAR_LINE = "\r\u001b[2K";
const NAME_WIDTH = 44;

export type Progress = {
  show(event: RunEvent): void;
  line(text?: string): void;
  /** The text in a style, where the terminal has styles. */
  styled(style: Style, text: string): string;
};

export function createProgress(terminal: Terminal, now: () => number = () => performance.now()): Progress {
  const live = terminal.isTTY === true;
  const styled = (style: Style, text: string) => (live && !process.env.NO_COLOR ? styleText(style, text, { validateStream: false }) : text);
  let stepBegan = 0;
  /** The line that the next one overwrites. */
  let transient = false;

  const line = (text = "") => {
    terminal.write(`${transient ? CLEAR_LINE : ""}${text}\n`);
    transient = false;
  };
  const meanwhile = (text: string) => {
    if (!live) return;
    terminal.write(`${CLEAR_LINE}${text.slice(0, (terminal.columns || 80) - 1)}`);
    transient = true;
  };

  function show(event: RunEvent): void {
    if (event.type === "status")
      line(styled("dim", `  · ${event.status}${event.status === "starting" ? ` on node ${event.node_id}` : ""}`));
    if (event.type === "action") meanwhile(`    ${event.summary}`);
    if (event.type === "guardrail" && event.kind !== "allow") line(styled("yellow", `  ! ${event.kind}: ${event.reason}`));
    if (event.type === "step") showStep(event);
  }

  function showStep({ index, description, action, state, attempt, error }: Extract<RunEvent, { type: "step" }>): void {
    const name = `${String(index + 1).padStart(2)} ${description || action}${attempt > 1 ? ` (attempt ${attempt})` : ""}`;
    if (state === "started") {
      stepBegan = now();
      meanwhile(`  … ${name}`);
      return;
    }
    const took = `${((now() - stepBegan) / 1000).toFixed(1)} s`.padStart(7);
    if (state === "completed") line(`  ${styled("green", "✓")} ${name.padEnd(NAME_WIDTH)} ${styled("dim", took)}`);
    else line(`  ${styled("red", "✗")} ${name.padEnd(NAME_WIDTH)} ${styled("dim", took)}  ${error ?? ""}`);
  }

  return { show, line, styled };
}
