/** The viewer in its frame. It runs in a browser, as the text of this one function, so it may name nothing outside of itself. */

export type Stage = {
  /** Resolves when the viewer is there. */
  ready: Promise<unknown>;
  /** Hands the viewer a trace in place of the one it has, and resolves when it is on the screen. */
  show(trace: Blob): Promise<void>;
};

/**
 * The viewer takes a trace by message, as bytes, so no address in it tells where the trace came from. It was made to be given one trace: each one
 * after that is a new page in the history, an address that is never given up, and a list of actions with nothing selected. All three are put right here.
 */
export function openStage(frame: HTMLIFrameElement): Stage {
  const LOAD_LIMIT_MS = 60_000; // a browser that was asleep is no reason to stop
  const DRAW_LIMIT_MS = 1_000; // a trace that looks the same changes nothing on the screen
  type Viewer = Window & typeof globalThis;

  const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
  let hasChosen = false; // until the user selects an action, the viewer selects the latest
  let onLoaded: (url: string) => void = () => {};
  let shown: string | null = null;

  const ready = new Promise<Viewer>((resolve) => {
    addEventListener("message", ({ source, data }) => {
      if (source === frame.contentWindow && data?.method === "ready") resolve(frame.contentWindow as Viewer);
    });
  }).then((viewer) => {
    viewer.history.pushState = () => {};
    const plainFetch = viewer.fetch;
    viewer.fetch = async (input, init) => {
      const response = await plainFetch(input, init);
      const url = /^contexts\?/.test(String(input)) ? new URLSearchParams(String(input).slice(9)).get("trace") : null;
      if (url === null) return response;
      const parse = response.json.bind(response);
      response.json = async () => {
        const value = await parse();
        onLoaded(url);
        return value;
      };
      return response;
    };
    for (const type of ["pointerdown", "keydown"]) {
      viewer.addEventListener(type, ({ isTrusted, target }) => {
        if (isTrusted && (target as Element).closest?.("[role=tree]")) hasChosen = true;
      });
    }
    return viewer;
  });
  frame.src = "./";

  /** Rows by their place: `/2/0` is the first below the third. Rows are only ever added at the end. */
  const rowsOf = (parent: Element | null, place = "", rows = new Map<string, Element>()): Map<string, Element> => {
    const children = parent?.querySelectorAll(":scope > [role=treeitem], :scope > [role=group] > [role=treeitem]") ?? [];
    for (const [i, row] of [...children].entries()) {
      rows.set(`${place}/${i}`, row);
      rowsOf(row, `${place}/${i}`, rows);
    }
    return rows;
  };
  const placesWith = (rows: Map<string, Element>, attribute: string) =>
    [...rows].filter(([, row]) => row.getAttribute(attribute) === "true").map(([place]) => place);

  const drawn = ({ MutationObserver, document }: Viewer) =>
    new Promise<void>((resolve) => {
      const seen = new MutationObserver(() => {
        seen.disconnect();
        resolve();
      });
      seen.observe(document.body, { subtree: true, childList: true, attributes: true });
    });

  return {
    ready,
    async show(trace) {
      const viewer = await ready;
      const rows = () => rowsOf(viewer.document.querySelector("[role=tree]"));
      const click = (row: Element | undefined, what: string) => row?.querySelector<HTMLElement>(what)?.click();

      const loaded = new Promise<string>((resolve) => {
        onLoaded = resolve;
      });
      viewer.postMessage({ method: "load", params: { trace } }, location.origin);
      const url = await Promise.race([loaded, pause(LOAD_LIMIT_MS)]);
      const before = rows(); // as late as can be: the user goes on working meanwhile
      const [expanded, [selected = ""]] = [placesWith(before, "aria-expanded"), placesWith(before, "aria-selected")];
      await Promise.race([drawn(viewer), pause(DRAW_LIMIT_MS)]);

      for (const place of expanded) {
        const row = rows().get(place);
        if (row?.getAttribute("aria-expanded") === "false") click(row, ".codicon");
        await Promise.resolve(); // React draws what a click does in a microtask
      }
      if (hasChosen) click(rows().get(selected), ".tree-view-entry");

      if (shown !== null) viewer.URL.revokeObjectURL(shown);
      shown = url ?? null;
    },
  };
}
