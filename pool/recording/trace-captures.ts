/** The lines that hold what a page was: snapshots of its frames and the requests it made, as schemas. Format version 8, as in `trace-events.ts`. */
import { z } from "zod";

const name = z.string().min(1);
const time = z.number();
/** A blob below `resources/`. The name reaches the viewer in a URL path. */
export const BLOB_NAME = /^[A-Za-z0-9@_-][A-Za-z0-9@._-]{0,120}$/;
export const blob = z.string().regex(BLOB_NAME);
export const size = z.object({ width: z.number().positive(), height: z.number().positive() });
/** Up to 1.62 viewers find a page's window by this pattern. */
export const pageId = z.string().regex(/^page@[0-9a-z]+$/);
const frameId = z.string().regex(/^frame@[0-9a-z]+$/);

/** One frame at one moment of a call. A viewer goes blank without `viewport`, and refuses the trace without `resourceOverrides`. */
export const FrameSnapshot = z.strictObject({
  type: z.literal("frame-snapshot"),
  snapshot: z.strictObject({
    callId: name,
    snapshotName: z.string().regex(/^(before|input|after)@/),
    pageId,
    frameId,
    frameUrl: z.string(),
    doctype: z.string().optional(),
    viewport: z.object({ width: z.number().min(0), height: z.number().min(0) }),
    timestamp: time,
    wallTime: z.number(),
    collectionTime: z.number(),
    /** The text of a linked sheet in place of the one that was loaded: a blob, or that of `ref` snapshots back. */
    resourceOverrides: z.array(z.strictObject({ url: z.string(), sha1: blob.optional(), ref: z.int().min(1).optional() })),
    isMainFrame: z.boolean(),
    /** Only in lines that are read: on its way to the file it is a text of its own. */
    html: z.array(z.unknown()).optional(),
  }),
});

const header = z.strictObject({ name: z.string(), value: z.string() });
const sizeOrUnknown = z.number().min(-1);

/** A request and its response as an entry of HAR 1.2, with Playwright's own fields. A viewer goes blank without `response.content`. */
export const ResourceSnapshot = z.strictObject({
  type: z.literal("resource-snapshot"),
  snapshot: z.strictObject({
    pageref: pageId,
    startedDateTime: z.iso.datetime(),
    time: z.number(),
    request: z.strictObject({
      method: name,
      url: z.string(),
      httpVersion: z.string(),
      cookies: z.array(z.never()),
      headers: z.array(header),
      queryString: z.array(header),
      headersSize: sizeOrUnknown,
      bodySize: sizeOrUnknown,
      postData: z.strictObject({ mimeType: z.string(), text: z.string(), params: z.array(z.never()), _sha1: blob.optional() }).optional(),
    }),
    response: z.strictObject({
      status: z.number(),
      statusText: z.string(),
      httpVersion: z.string(),
      cookies: z.array(z.never()),
      headers: z.array(header),
      content: z.strictObject({ size: sizeOrUnknown, mimeType: z.string(), _sha1: blob.optional() }),
      headersSize: sizeOrUnknown,
      bodySize: sizeOrUnknown,
      redirectURL: z.string(),
      _transferSize: sizeOrUnknown,
      _failureText: z.string().optional(),
    }),
    cache: z.strictObject({}),
    timings: z.strictObject({
      dns: z.number(),
      connect: z.number(),
      ssl: z.number(),
      send: z.number(),
      wait: z.number(),
      receive: z.number(),
    }),
    serverIPAddress: z.string().optional(),
    _frameref: frameId.optional(),
    _monotonicTime: time,
    _resourceType: z.string().optional(),
  }),
});
export type HarEntry = z.infer<typeof ResourceSnapshot>["snapshot"];
