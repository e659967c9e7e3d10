/** A process that records actions into a folder: `node recording-process.ts <dir> <actions>`. Writes what it does to stdout, a JSON value a line. */
import { openActionLog } from "../../pool/recording/action-log.ts";
import { click, jpeg, logEntry, record, startRecorder } from "./support.ts";

const [dir = "", actions = "0"] = process.argv.slice(2);
const say = (what: unknown) => process.stdout.write(`${JSON.stringify(what)}\n`);

const { recorder, warnings } = await startRecorder(dir, { takePicture: async () => jpeg("still") });
const log = await openActionLog({ dir, warn: (error) => void warnings.push(error as Error) });
recorder.step(0, "Until it is over");
for (let seq = 1; seq <= Number(actions); seq++) {
  await record(recorder, seq, click(`#row-${seq}`));
  log.write(logEntry(seq, click(`#row-${seq}`)));
  say({ done: seq });
}
await recorder.finish();
await log.drain();
say({ warnings: warnings.map(({ message }) => message), artifacts: recorder.artifacts() });
