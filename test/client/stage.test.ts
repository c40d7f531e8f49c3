// Owns the promises of staging: what lies in storage is what the document and its hash say.

import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { stageJob } from "../../src/client/stage.ts";
import type { JobDocument } from "../../src/shared/job/document.ts";
import { bundleFile } from "../../src/shared/job/places.ts";
import { FileStorage } from "../../src/shared/storage/files/file-storage.ts";

const jobId = "019aa000-0000-7000-8000-000000000001";

test("staging puts bundle and document where they are named, under their hashes, twice as well as once", async () => {
  const directory = await mkdtemp(join(tmpdir(), "stage-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  const root = pathToFileURL(directory).href;
  const code = new TextEncoder().encode("export {};");
  const bundle = bundleFile(root, jobId, createHash("sha256").update(code).digest("hex"));
  const document = { protocol: 1, jobId, name: "n", bundle } as JobDocument;
  const file = await stageJob(new FileStorage(), root, document, code);
  expect(await stageJob(new FileStorage(), root, document, code)).toEqual(file);
  const bytes = await readFile(fileURLToPath(file.url));
  expect(JSON.parse(bytes.toString())).toEqual(document);
  expect(file.sha256).toBe(createHash("sha256").update(bytes).digest("hex"));
  expect(await readFile(fileURLToPath(bundle.url), "utf8")).toBe("export {};");
});
