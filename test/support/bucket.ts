/** An S3-compatible server of this process, on a port and in a folder of its own, that can go away and come back. */
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import S3rver from "@20minutes/s3rver";
import type { BucketCredentials, BucketPlace } from "../../shared/bucket.ts";

export type TestBucket = AsyncDisposable & {
  place: BucketPlace;
  credentials: BucketCredentials;
  /** `VOLUME_URL`, `EDGE_BUCKET_URL` and what they need. */
  url: string;
  env: Record<string, string>;
  /** Where it keeps its objects. */
  folder: string;
  stop(): Promise<void>;
  start(): Promise<void>;
};

const CREDENTIALS: BucketCredentials = { accessKeyId: "S3RVER", secretAccessKey: "S3RVER" };

export async function openTestBucket(prefix = "pool/one/"): Promise<TestBucket> {
  const folder = await mkdtemp(join(tmpdir(), "us-bucket-"));
  let port = 0;
  let server: Server | undefined;
  const start = async () => {
    const options = {
      port,
      address: "127.0.0.1",
      silent: true,
      directory: folder,
      vhostBuckets: false,
      configureBuckets: [{ name: "artifacts" }],
    };
    const s3 = new S3rver(options);
    await s3.run();
    server = s3.httpServer;
    port = (server.address() as AddressInfo).port;
  };
  const stop = async () => {
    if (!server) return;
    const closed = once(server, "close");
    server.close();
    server.closeAllConnections();
    await closed;
    server = undefined;
  };
  await start();
  const place = { endpoint: `http://127.0.0.1:${port}`, bucket: "artifacts", prefix, region: "us-east-1" };
  const url = `s3://artifacts/${prefix}?endpoint=${encodeURIComponent(place.endpoint)}`;
  const env = { AWS_ACCESS_KEY_ID: CREDENTIALS.accessKeyId, AWS_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey };
  return {
    place,
    credentials: CREDENTIALS,
    url,
    env,
    folder,
    start,
    stop,
    async [Symbol.asyncDispose]() {
      await stop();
      await rm(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}
