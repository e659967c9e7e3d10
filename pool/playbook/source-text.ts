/** A playbook as YAML, for people to read beside what it did, and the line of each of its steps. */
import { stringify } from "yaml";
import type { Playbook } from "../../shared/playbook.ts";
import { readYaml } from "./yaml-source.ts";

const LINE_CHARS = 120;

export type PlaybookSource = { file: string; text: string; stepLines: number[] };

/** Made from what runs, whatever it was written in: fields that say nothing are left out. Lines count from 1. */
export function playbookSource(playbook: Playbook): PlaybookSource {
  const text = stringify(said(withoutTyped(playbook)), { lineWidth: LINE_CHARS, aliasDuplicateObjects: false });
  const { lineOf } = readYaml(text, "The playbook");
  const stepLines = playbook.steps.map((_, index) => lineOf(["steps", index]) ?? 1);
  return { file: `playbooks/${playbook.id}.yaml`, text, stepLines };
}

/** What is typed is shown nowhere; only its placeholders say what it is. */
const typed = (params: Record<string, unknown>): Record<string, unknown> =>
  typeof params.text === "string"
    ? { ...params, text: params.text.replace(/(\{[a-z_][a-z0-9_.]*\})|[^{]+|\{/g, (literal, name) => name ?? mark(literal)) }
    : params;
const mark = (literal: string): string => (literal.trim() === "" ? literal : "[typed]");

function withoutTyped(playbook: Playbook): Playbook {
  const steps = playbook.steps.map((step) => {
    if (step.action === "key_press") return { ...step, params: typed(step.params) };
    if (step.action !== "sequence" || !Array.isArray(step.params.actions)) return step;
    const actions = (step.params.actions as { action: string; params?: Record<string, unknown> }[]).map((each) =>
      each.action === "key_press" && each.params ? { ...each, params: typed(each.params) } : each,
    );
    return { ...step, params: { ...step.params, actions } };
  });
  return { ...playbook, steps };
}

/** What a step is without a word about it. */
const DEFAULTS: Record<string, unknown> = { on_failure: "llm_recover", once: false };

/** Without defaults, nulls, and lists and maps that hold nothing. */
function said(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(said);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, each]) => (isEmpty(each) || DEFAULTS[key] === each ? [] : [[key, said(each)]])),
  );
}

const isEmpty = (value: unknown): boolean =>
  value === null || value === undefined || value === "" || (typeof value === "object" && Object.keys(value as object).length === 0);
