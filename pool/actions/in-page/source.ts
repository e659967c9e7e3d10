/** The engine that is put into the page: the parts of this folder, joined, as one expression. */
import { ARIA_ROLES } from "../aria-roles.ts";
import { createAim } from "./aim.ts";
import { createCaptcha } from "./captcha.ts";
import { createCover } from "./cover.ts";
import { createDom } from "./dom.ts";
import { createEdit } from "./edit.ts";
import { createFind } from "./find.ts";
import { createLook, type LookAnswer, type LookRequest } from "./look.ts";
import { createNames } from "./names.ts";
import { createNative } from "./native.ts";
import { createOwnChain } from "./own-chain.ts";
import { createOwnSelectors } from "./own-selectors.ts";
import { createPageItems } from "./page-items.ts";
import { createPageMap } from "./page-map.ts";
import { createRead } from "./read.ts";
import { createRoles } from "./roles.ts";
import { createTexts } from "./texts.ts";
import { createWatch } from "./watch.ts";

/** Joins the parts; runs in the page. Its text is sent there, with the parts as arguments. */
function join(
  dom: ReturnType<typeof createDom>,
  parts: {
    roles: typeof createRoles;
    names: typeof createNames;
    texts: typeof createTexts;
    find: typeof createFind;
    look: typeof createLook;
    watch: typeof createWatch;
    aim: typeof createAim;
    edit: typeof createEdit;
    read: typeof createRead;
    cover: typeof createCover;
    captcha: typeof createCaptcha;
    ownSelectors: typeof createOwnSelectors;
    ownChain: typeof createOwnChain;
    pageItems: typeof createPageItems;
    pageMap: typeof createPageMap;
  },
  ariaRoles: readonly string[],
) {
  const roles = parts.roles(dom, ariaRoles);
  const names = parts.names(dom, roles);
  const find = parts.find(dom, roles, names, parts.texts(dom, roles));
  const watch = parts.watch(dom);
  const aim = parts.aim(dom, roles, names, watch);
  const edit = parts.edit(dom, roles);
  const read = parts.read(dom);
  const cover = parts.cover(dom, edit);
  const ownSelectors = parts.ownSelectors(dom);
  const pageMap = parts.pageMap(dom, roles, parts.pageItems(dom, roles, names), ownSelectors);
  const ownChain = parts.ownChain(dom, roles, names, find, ownSelectors);
  const look = parts.look(dom, find, {
    aim: aim.aim,
    fill: edit.fill,
    focus: edit.focus,
    choose: edit.choose,
    read: read.read,
    scroll: read.scroll,
    map: pageMap.task,
    own: ownChain.own,
  } as never);
  const { state } = look;
  return {
    look: look.look as (request: LookRequest) => Promise<LookAnswer>,
    confirm: (arg: Parameters<typeof aim.confirm>[1]) => aim.confirm(state.held, arg),
    focused: aim.focused,
    verdict: aim.verdict,
    guard: watch.guard,
    disarm: watch.disarm,
    presses: watch.presses,
    keys: watch.keys,
    typed: () => edit.typed(state.held),
    put: (arg: Parameters<typeof edit.put>[1]) => edit.put(state.held, arg),
    place: edit.place,
    hasFocus: edit.hasFocus,
    markFocused: edit.markFocused,
    texts: cover.texts,
    cover: cover.cover,
    uncover: cover.uncover,
    scroll: (arg: { dx: number; dy: number }) => read.scroll(null, arg),
    /** Once what is queued has run and, where `frames` says so, the page was drawn. */
    async rest({ frames }: { frames: number }) {
      for (let i = 0; i < frames; i += 1) await dom.nextFrame();
      await new Promise((resolve) => setTimeout(resolve));
      return { loading: dom.readyState(document) === "loading" };
    },
    map: pageMap.map,
    prove: ownChain.prove,
    forget: ownChain.forget,
    captcha: parts.captcha(dom).captcha,
    offer: look.offer,
    throughFrame: aim.throughFrame,
    held: () => state.held,
    document: () => document,
  };
}

export type Engine = ReturnType<typeof join>;

const PARTS = {
  roles: createRoles,
  names: createNames,
  texts: createTexts,
  find: createFind,
  look: createLook,
  watch: createWatch,
  aim: createAim,
  edit: createEdit,
  read: createRead,
  cover: createCover,
  captcha: createCaptcha,
  ownSelectors: createOwnSelectors,
  ownChain: createOwnChain,
  pageItems: createPageItems,
  pageMap: createPageMap,
};
const parts = Object.entries(PARTS).map(([name, part]) => `${name}: ${part}`);
/** One sign beyond ASCII, and every string on the way of a script to a page takes twice the room, which shows in the time of each document. */
export const inAscii = (source: string): string =>
  source.replace(/[\u0080-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);

export const ENGINE_SOURCE = inAscii(
  `(${join})((${createDom})((${createNative})()), { ${parts.join(",\n")} }, ${JSON.stringify(ARIA_ROLES)})`,
);
