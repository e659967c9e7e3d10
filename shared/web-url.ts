/** Addresses that somebody has written: a request, or a playbook. Where they lead is the guardrails' matter, at the time of going there. */

/** What is wrong with it, or null. A name and a password would stand in clear wherever a run shows its addresses, so there is no run that has them. */
export function webUrlProblem(text: string): string | null {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || (url.protocol !== "http:" && url.protocol !== "https:")) return "Expected an http or https URL";
  return url.username === "" && url.password === "" ? null : "Expected a URL without a user name or password";
}
