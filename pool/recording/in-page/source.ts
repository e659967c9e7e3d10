/** The agent that is put into each frame: the parts of this folder, joined, as one script. */
import { inAscii } from "../../actions/in-page/source.ts";
import { createAgent } from "./agent.ts";
import { createNodes } from "./nodes.ts";
import { createSerialise } from "./serialise.ts";
import { createState } from "./state.ts";

/** The world that the agent lives in. A page sees neither. */
export const AGENT_WORLD = "understudy-recording";
const KEY = "agent";

function install(nodes: typeof createNodes, state: typeof createState, serialise: typeof createSerialise, agent: typeof createAgent) {
  const world = globalThis as { agent?: ReturnType<typeof createAgent> };
  if (world.agent) return;
  const reader = nodes();
  world.agent = agent(reader, state(reader), serialise);
}

export const AGENT_SOURCE = inAscii(`(${install})(${createNodes}, ${createState}, ${createSerialise}, ${createAgent})`);
/** Functions for `Runtime.callFunctionOn`. Null: there is no agent. */
export const CAPTURE = `function (request) { return globalThis.${KEY}?.capture(request) ?? null }`;
export const MARK_FRAME = `function (frameId) { return globalThis.${KEY}?.markFrame(this, frameId) ?? null }`;
