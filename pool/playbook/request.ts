/** What a request asks to be run, and a dry run's answer about it. */
import { counted } from "../../shared/counted.ts";
import { AppError, type Issue } from "../../shared/errors.ts";
import type { Playbook } from "../../shared/playbook.ts";
import type { DryRun } from "../../shared/run.ts";
import { type BindProblem, tryBind } from "./bind.ts";
import type { CheckName } from "./bind-step.ts";
import { type Library, parsePlaybook } from "./load.ts";
import { matchDirective } from "./match.ts";
import type { Values } from "./template.ts";

/** The parts of `POST /runs` that a playbook is concerned with. */
export type PlaybookRequest = {
  playbook?: string | Record<string, unknown>;
  directive?: string | null;
  params?: Values;
  start_url?: string;
  credentialNames: readonly string[];
};

/**
 * The playbook that a request means: inline, by its id, or the one whose tags the directive holds. Null: a directive alone that no playbook matches.
 * @throws VALIDATION_FAILED: no such playbook, or not one.
 */
export function resolvePlaybook(
  library: Library,
  { playbook, directive }: Pick<PlaybookRequest, "playbook" | "directive">,
): Playbook | null {
  if (typeof playbook === "string" && !playbook.includes("\n")) {
    const found = library.get(playbook);
    if (found) return found;
    const { message, issues } = whyMissing(library, playbook);
    throw new AppError("VALIDATION_FAILED", message, { details: { issues: [{ path: "playbook", message }, ...issues] } });
  }
  if (playbook !== undefined) return parsePlaybook(playbook);
  return directive ? matchDirective(library.list(), directive) : null;
}

/** Why no playbook has this id: its file does not load, or there is none. */
export function whyMissing(library: Library, id: string): { message: string; issues: Issue[] } {
  const broken = brokenFile(library, id);
  if (!broken) return { message: `No playbook has the id "${id}"`, issues: [] };
  return { message: `Playbook "${id}" does not load: ${broken.message}`, issues: broken.issues };
}

const brokenFile = (library: Library, id: string) => library.problems().find(({ file }) => file === `${id}.yaml`);

type Check = DryRun["checks"][number];

/** The checks of a dry run that concern the playbook. Opens nothing and asks nobody; what is wrong stands in the answer. */
export function checkPlaybookRequest(
  library: Library,
  request: PlaybookRequest,
): { playbook: Playbook | null; checks: Check[]; warnings: string[] } {
  let playbook: Playbook | null;
  try {
    playbook = resolvePlaybook(library, request);
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return {
      playbook: null,
      checks: [{ name: "playbook", passed: false, message: allThatIsWrong(library, request, error) }, givenCredentials(request)],
      warnings: [],
    };
  }
  if (playbook === null) return { playbook, checks: [givenCredentials(request)], warnings: [] };
  const { problems, bound } = bindOrProblems(playbook, request);
  const { parameters, steps } = playbook;
  const passed: Record<CheckName, string> = {
    params:
      parameters.length === 0
        ? "No parameters"
        : `${parameters.filter(({ name }) => Object.hasOwn(bound?.values ?? {}, name)).length} of ${parameters.length} have a value`,
    placeholders: "Every placeholder has a value, or gets one from an earlier step",
    credentials: givenCredentials(request).message,
    selectors: "Every selector is well formed",
    steps: `${counted(steps.length, "step")} ${steps.length === 1 ? "binds" : "bind"}`,
  };
  const check = (name: CheckName): Check => {
    const wrong = problems.filter((problem) => problem.check === name);
    return { name, passed: wrong.length === 0, message: wrong.length === 0 ? passed[name] : wrong.map(sentence).join("; ") };
  };
  return {
    playbook,
    checks: [
      { name: "playbook", passed: true, message: `"${playbook.id}": ${playbook.name}` },
      ...(Object.keys(passed) as CheckName[]).map(check),
    ],
    warnings: [...(bound?.warnings ?? [])],
  };
}

function bindOrProblems(
  playbook: Playbook,
  request: PlaybookRequest,
): { bound: ReturnType<typeof tryBind>["bound"] | null; problems: BindProblem[] } {
  try {
    return tryBind(playbook, request);
  } catch (error) {
    if (!(error instanceof AppError)) throw error; // patterns that take too long end the search for parameters
    return { bound: null, problems: [{ check: "params", path: "params", message: error.message }] };
  }
}

const givenCredentials = ({ credentialNames: { length } }: PlaybookRequest): Check => ({
  name: "credentials",
  passed: true,
  message: length === 0 ? "None given" : `${length} given`,
});

/** Each place that is wrong, where the error's message names the first and counts the others. */
function allThatIsWrong(library: Library, { playbook }: PlaybookRequest, { message, details }: AppError): string {
  const broken = typeof playbook === "string" ? brokenFile(library, playbook) : undefined;
  const issues = broken?.issues ?? ((details?.issues ?? []) as Issue[]);
  if (issues.length < 2) return message;
  return `${broken ? `Playbook "${playbook}" does not load` : "The playbook is not valid"}: ${issues.map(sentence).join("; ")}`;
}

const sentence = ({ path, message, line }: Issue): string => `${path}: ${message}${line ? ` (line ${line})` : ""}`;
