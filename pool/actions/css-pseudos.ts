/**
 * The pseudo-classes and pseudo-elements that Chrome 156 knows or a specification names; those of vendors (`-webkit-…`) are not listed. What stands here
 * and is not Chrome's, the browser refuses itself; what does not stand here is refused before. `test/soak/css-pseudos.test.ts` finds what Chrome has new.
 */
const words = (text: string): ReadonlySet<string> => new Set(text.trim().split(/\s+/));

/** Written without brackets. */
export const PLAIN = {
  class: words(`
    active active-view-transition after any-link autofill before blank buffering checked closed corner-present current decrement default defined
    disabled double-button empty enabled end first-child first-letter first-line first-of-type focus focus-visible focus-within fullscreen future
    granted has-slotted heading horizontal host hover in-range increment indeterminate interest-source interest-target invalid last-child last-of-type
    link local-link modal muted navigation-source no-button only-child only-of-type open optional out-of-range past paused picture-in-picture
    placeholder-shown playing popover-open read-only read-write required root scope seeking single-button snapped snapped-block snapped-inline
    snapped-x snapped-y stalled start target target-after target-before target-current target-within unbounded user-invalid user-valid valid vertical
    visited volume-locked window-inactive xr-overlay`),
  element: words(`
    after backdrop before checkmark clear-icon color-swatch column cue cue-region details-content expand-icon field-component field-separator field-text
    file-selector-button first-letter first-line grammar-error interest-button interest-hint marker permission-icon picker-icon placeholder reveal-icon
    scroll-marker scroll-marker-group search-text select-listbox selection selection-inactive skeleton slider-fill slider-thumb slider-track
    spelling-error step-control step-down step-up target-text view-transition`),
};

/** Written with an argument. */
export const FUNCTIONS = {
  class: words(`
    active-view-transition-type current dir has heading host host-context is lang local-link not nth-child nth-col nth-last-child nth-last-col
    nth-last-of-type nth-of-type snapped state where`),
  element: words(`
    cue cue-region highlight nth-fragment part picker scroll-button slotted view-transition-group view-transition-group-children
    view-transition-image-pair view-transition-new view-transition-old`),
};

/** Those that count. */
export const NTH = words("nth-child nth-last-child nth-of-type nth-last-of-type");
/** Those whose argument is a list of selectors, all of which must be ones. */
export const SELECTOR_ARGUMENTS = words("not has");
