/** The script of the page around the viewer. It runs in a browser, as the text of this one function, so it may name nothing outside of itself. */
import type { openStage, Stage } from "./stage.ts";

/**
 * Fetches the run's trace and hands it to the viewer in the frame, anew whenever something has happened in the run, until that is over.
 * The link stays in here: the viewer gets bytes, so no address that a recorded page could see holds it.
 */
export function watch(open: typeof openStage): void {
  type Problem = { code: string; message: string };
  const LEAST_GAP_MS = 1_000;
  const WORK_SHARE = 5; // a refresh may take a fifth of the time; what is large is refreshed less often
  const MOST_GAP_MS = 10_000;
  const RETRY_MS = 2_000;

  const link = location.hash.slice(1);
  const bar = document.querySelector("header") as HTMLElement;
  const [title, note] = [document.querySelector("h1") as HTMLElement, document.querySelector("output") as HTMLElement];
  const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
  const say = (state: "live" | "over" | "broken", text: string) => {
    bar.className = state;
    note.textContent = text;
  };
  const clock = () => new Date().toLocaleTimeString();

  let status = "";
  let isOver = false;
  let wake: () => void = () => {};
  let changed = Promise.resolve(); // the first trace waits for nothing

  const read = (path: string, headers: Record<string, string> = {}): Promise<Response> =>
    // the header keeps the viewer's service worker, whose scope this page is in, out of the way
    fetch(`run/${path}`, { cache: "no-store", headers: { Authorization: `Bearer ${link}`, "x-pw-serviceworker": "skip", ...headers } });

  const problemOf = async (response: Response): Promise<Problem> => {
    const body = (await response.json().catch(() => null)) as { error?: Problem } | null;
    return body?.error ?? { code: "", message: `The server answered with status ${response.status}` };
  };

  /** Reads the run's events for what they say of its state; each one is a reason to refresh. */
  const follow = async (): Promise<void> => {
    let lastId = "0";
    while (!isOver) {
      const response = await read("events", { "Last-Event-ID": lastId }).catch(() => null);
      if (response?.status === 204) isOver = true;
      else if (response && response.status >= 400 && response.status < 500)
        return; // the trace's answer says why
      else if (response?.ok && response.body) {
        try {
          const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
          let text = "";
          for (let part = await reader.read(); !part.done; part = await reader.read()) {
            const frames = (text + part.value).split("\n\n");
            text = frames.pop() ?? "";
            for (const each of frames) {
              const [, id, data] = /^id: (\d+)\n(?:.*\n)*?data: (.*)$/.exec(each) ?? [];
              if (id === undefined || data === undefined) continue; // a comment
              const event = JSON.parse(data) as { type: string; status?: string };
              lastId = id;
              status = event.status ?? status;
              if (event.type === "complete") isOver = true;
              wake();
            }
          }
        } catch {
          // it broke off, and is taken up again behind the last id
        }
      }
      if (!isOver) await sleep(RETRY_MS);
    }
    wake();
  };

  const refresh = async (stage: Stage): Promise<void> => {
    let isShown = false;
    await stage.ready; // which is not the trace's doing: it is no part of the time that a refresh takes
    for (;;) {
      await changed;
      changed = new Promise((resolve) => {
        wake = resolve;
      });
      const [began, wasOver] = [performance.now(), isOver];
      const response = await read("trace").catch(() => null);
      const trace = response?.ok ? await response.blob().catch(() => null) : null; // it may break off
      if (trace) {
        await stage.show(trace);
        isShown = true;
        if (wasOver) return say("over", status === "" ? "finished" : status);
        say("live", `live · as of ${clock()}`);
        await sleep(Math.min(MOST_GAP_MS, Math.max(LEAST_GAP_MS, (WORK_SHARE - 1) * (performance.now() - began))));
        continue;
      }
      const problem = response && !response.ok ? await problemOf(response) : { code: "", message: "The connection broke off" };
      const isFinal = response !== null && response.status >= 400 && response.status < 500;
      if (isFinal) return say("broken", isShown ? `No longer refreshed. ${problem.message}` : problem.message);
      say("live", `${problem.message}; trying again`);
      await sleep(RETRY_MS);
      wake();
    }
  };

  addEventListener("hashchange", () => location.reload()); // another link was opened in this tab
  const runId = /"run_id":"([0-9a-f-]+)"/.exec(atobOrNothing(link.split(".")[0] ?? ""))?.[1];
  if (runId !== undefined) title.textContent = document.title = `Run ${runId}`;
  const refusal =
    link === ""
      ? "There is no link in this address. GET /runs/{run_id}/recording/viewer gives one"
      : isSecureContext
        ? null
        : "Browsers run the trace viewer over https only, or on localhost";
  if (refusal !== null) say("broken", refusal);
  else {
    void follow();
    void refresh(open(document.querySelector("iframe") as HTMLIFrameElement));
  }

  function atobOrNothing(text: string): string {
    try {
      return atob(text.replaceAll("-", "+").replaceAll("_", "/"));
    } catch {
      return ""; // not one of our links; the server says so
    }
  }
}
