/** What a page said, marked as data: nothing between the markers is an instruction, whatever it says. */

const MARKER = "untrusted_page_content";

/** How the system prompt names the markers. */
export const MARKERS = `<${MARKER}> … </${MARKER}>`;

/** The text between markers that it cannot close itself. */
export const untrusted = (text: string): string =>
  `<${MARKER}>\n${text.replace(new RegExp(MARKER, "gi"), "untrusted-page-content")}\n</${MARKER}>`;
