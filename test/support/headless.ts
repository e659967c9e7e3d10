/** A Chrome as a script of one's own would launch it: the flags that any headless automation gives. */
export const HEADLESS_ARGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--no-first-run",
];

/** CSS pixels. */
export const VIEWPORT = { width: 1280, height: 720 };
