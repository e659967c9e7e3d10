/** The trace viewer's own loader as the judge of a trace. */
import { createRequire } from "node:module";
import { expect } from "vitest";
import { readZip } from "../support/zip.ts";

export type ViewerAction = {
  callId: string;
  parentId?: string;
  class: string;
  method: string;
  title?: string;
  params: Record<string, unknown>;
  startTime: number;
  endTime: number;
  error?: { message: string };
  result?: { value: string };
  point?: { x: number; y: number };
  box?: { x: number };
  log: { message: string }[];
  stack?: { file: string; line: number }[];
};
type ViewerModel = {
  title: string;
  browserName: string;
  options: { viewport: { width: number }; userAgent: string };
  actions: ViewerAction[];
  errorDescriptors: { message: string }[];
  events: { type: string; method?: string; text?: string; params?: Record<string, unknown> }[];
  stdio: { text: string }[];
  pages: { screencastFrames: { file: string }[] }[];
  resources: {
    request: { method: string; url: string; headers: { name: string; value: string }[]; postData?: { _file?: string } };
    response: { status: number; headers: { name: string; value: string }[]; content: { _file?: string; size: number; mimeType: string } };
    _monotonicTime: number;
  }[];
};
type ViewerBundle = {
  iso: {
    TraceLoader: new () => { contextEntries: unknown[]; load(backend: unknown): Promise<void> };
    TraceModel: new (uri: string, contexts: unknown[]) => ViewerModel;
  };
};
const { iso } = createRequire(import.meta.url)("playwright-core/lib/coreBundle") as ViewerBundle;

/** Loads a zip as the trace viewer does: the code that refuses whole traces there, refuses them here. Every picture it names must be there. */
export async function loadTrace(zip: Uint8Array): Promise<ViewerModel> {
  const entries = await readZip(zip);
  const loader = new iso.TraceLoader();
  await loader.load({
    isLive: () => false,
    entryNames: async () => [...entries.keys()],
    hasEntry: async (name: string) => entries.has(name),
    readText: async (name: string) => entries.get(name)?.toString(),
    readBlob: async (name: string) => entries.get(name) && new Blob([new Uint8Array(entries.get(name) as Buffer)]),
  });
  const model = new iso.TraceModel("trace", loader.contextEntries);
  for (const { file } of model.pages.flatMap(({ screencastFrames }) => screencastFrames)) expect(entries.has(file), file).toBe(true);
  return model;
}
