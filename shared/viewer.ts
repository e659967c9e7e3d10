/** The Playwright Trace Viewer as a node hands it to an edge: all its files as one value, so that no two releases are ever mixed. */
import { z } from "zod";

/** `GET /viewer` of a node. */
export const ViewerSchema = z.object({
  version: z.string().describe("Of playwright-core"),
  files: z.array(
    z.object({
      name: z.string().describe("Path below the viewer's folder"),
      type: z.string().describe("Content type"),
      base64: z.string(),
    }),
  ),
});
export type Viewer = z.infer<typeof ViewerSchema>;
