import type { Playbook } from "../../shared/playbook.ts";
import { mapStep, partsOf, withParsedItems } from "./places.ts";
import { placeholders } from "./template.ts";

/** May a step type this credential? True also where only a value of the run says which one a step types. */
export function mayType({ steps, parameters }: Playbook, credential: string): boolean {
  if (parameters.some(({ inject_into }) => inject_into?.includes("credential_ref") || inject_into?.endsWith("params.text"))) return true;
  return steps.map(withParsedItems).some((step) => {
    const refs = partsOf(step).flatMap(({ part }) => part.params.credential_ref ?? []);
    if (refs.some((ref) => ref === credential || placeholders(String(ref)).length > 0)) return true;
    let named = false;
    mapStep(step, (text, _path, kind) => {
      named ||= kind === "typed" && placeholders(text).includes(`credentials.${credential}`);
      return text;
    });
    return named;
  });
}
