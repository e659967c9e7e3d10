/** What a run may keep of the pages' texts in all: its record is read and sent whole, however many steps extract. */
const TOTAL_CHARS = 2_000_000;

/** Gives texts back as they are until together they are longer than the budget; then cut, saying so, and `onCut` is called once. */
export function createTextBudget(onCut: (message: string) => void, totalChars = TOTAL_CHARS): (text: string) => string {
  let left = totalChars;
  let told = false;
  return (text) => {
    const kept = Math.min(text.length, left);
    left -= kept;
    if (kept === text.length) return text;
    if (!told) onCut(`The texts of this run are longer than ${totalChars} characters together; what is beyond is cut`);
    told = true;
    return `${text.slice(0, kept)}… (cut: the run's texts are longer than ${totalChars} characters together)`;
  };
}
