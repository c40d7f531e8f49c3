// Owns what a job's inputs name: globs, directories, files and earlier jobs' outputs become a list of files with sizes, in
// the order in which they are read. It never opens an input file.

import { fileURLToPath, pathToFileURL } from "node:url";
import picomatch from "picomatch";
import type { InputDocument, JobDocument } from "../../shared/job/document.ts";
import { MapReduceError } from "../../shared/job/errors.ts";
import type { Storage, StoredFile } from "../../shared/storage/storage.ts";
import { readManifest, successName, temporaryName } from "../commit/manifest.ts";
import type { ListedFile } from "./cut.ts";

/**
 * Lists the files of every input: inputs as given, files of one by the UTF-8 bytes of their paths. A file that two
 * inputs name is listed for each.
 * @throws MapReduceError INPUT_NOT_FOUND naming the input that matches nothing, SPECIFICATION_INVALID where the output
 *   is also an input, NOT_YET_AVAILABLE for a compressed file
 */
export async function listInputs(
  storage: Storage,
  document: Pick<JobDocument, "inputs" | "output">,
): Promise<ListedFile[]> {
  const files = await Promise.all(
    document.inputs.map(async (input, index) =>
      (await listInput(storage, input)).map(({ url, size }): ListedFile => ({ input: index, url, size })),
    ),
  );
  const listed = files.flat();
  for (const { url } of listed) {
    if (url.startsWith(`${document.output}/`)) {
      throw new MapReduceError(
        "SPECIFICATION_INVALID",
        `output ${document.output}: is also an input, which reads ${url}`,
      );
    }
    if (/\.(gz|zst)$/.test(url)) {
      throw new MapReduceError("NOT_YET_AVAILABLE", `input ${url}: compressed input is not yet read`);
    }
  }
  return listed;
}

async function listInput(storage: Storage, input: InputDocument): Promise<StoredFile[]> {
  const url = input.url.replace(/\/+$/, "");
  // A file whose name looks like a pattern is that file.
  const size = await storage.size(url);
  if (size !== undefined) return [{ url, size }];
  const { isGlob } = picomatch.scan(pathOf(url));
  const files = isGlob ? await listGlob(storage, url) : await listDirectory(storage, url);
  if (files.length === 0) {
    throw new MapReduceError(
      "INPUT_NOT_FOUND",
      `input ${url.startsWith("file:") ? pathOf(url) : url}: ${isGlob ? "no file matches" : "no such file, and no directory with files"}`,
    );
  }
  return files;
}

/** Files below the pattern's fixed part that match it; names that start with a dot only where the pattern says so. */
async function listGlob(storage: Storage, url: string): Promise<StoredFile[]> {
  const pattern = pathOf(url);
  const matches = picomatch(pattern);
  const { base } = picomatch.scan(pattern);
  const files: StoredFile[] = [];
  for await (const file of storage.list(withPath(url, base))) {
    const path = pathOf(file.url);
    if (matches(path) && !bookkeeping.test(path.slice(base.length))) files.push(file);
  }
  return files;
}

const bookkeeping = new RegExp(`/(${successName}$|${temporaryName}/)`);

/** Everything below a directory but what is hidden or set aside; of a job's output, its part files. */
async function listDirectory(storage: Storage, url: string): Promise<StoredFile[]> {
  const manifest = await readManifest(storage, url);
  const files: StoredFile[] = [];
  for await (const file of storage.list(url)) {
    const path = pathOf(file.url).slice(pathOf(url).length + 1);
    if (manifest === undefined ? !/(^|\/)[._]/.test(path) : isPart(path)) files.push(file);
  }
  if (manifest === undefined || manifest === "foreign") return files;
  const parts = manifest.files.filter(({ name }) => isPart(name)).map(({ name }) => `${url}/${name}`);
  const there = new Set(files.map((file) => file.url));
  const missing = parts.find((part) => !there.has(part));
  if (missing !== undefined) {
    throw new MapReduceError(
      "INPUT_NOT_FOUND",
      `input ${pathOf(missing)}: not there, though ${successName} beside it lists it`,
    );
  }
  const listed = new Set(parts);
  return files.filter((file) => listed.has(file.url));
}

/** A result file; a job's named outputs lie in directories of their own. */
function isPart(path: string): boolean {
  return /^part-[^/]*$/.test(path);
}

/** The path as a person wrote it: patterns are matched on names, not on their percent-encoding. */
function pathOf(url: string): string {
  return url.startsWith("file:") ? fileURLToPath(url) : url.slice(url.indexOf("://") + "://".length);
}

function withPath(url: string, path: string): string {
  return url.startsWith("file:")
    ? pathToFileURL(path).href
    : url.slice(0, url.indexOf("://") + "://".length) + path;
}
