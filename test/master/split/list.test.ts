// Owns the promises of listing inputs, on real directories.

import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { listInputs } from "../../../src/master/split/list.ts";
import { FileStorage } from "../../../src/shared/storage/files/file-storage.ts";

let directory = "";

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "list-"));
});
afterEach(() => rm(directory, { recursive: true }));

async function lay(...paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    await mkdir(dirname(join(directory, path)), { recursive: true });
    await writeFile(join(directory, path), path);
  }
}

function urlOf(path: string): string {
  return pathToFileURL(join(directory, path)).href;
}

/** Lists inputs that are given as paths, and gives back paths. */
async function list(inputs: readonly string[], output = "out"): Promise<string[]> {
  const files = await listInputs(new FileStorage({ durability: "written" }), {
    inputs: inputs.map((path) => ({ url: urlOf(path), format: { name: "lines", options: {} }, mapper: "m" })),
    output: urlOf(output),
  });
  return files.map(({ input, url, size }) => {
    const path = decodeURIComponent(url.slice(urlOf("").replace(/\/?$/, "/").length));
    expect(size).toBe(Buffer.byteLength(path));
    return `${input}:${path}`;
  });
}

describe("listInputs", () => {
  test("keeps inputs in their order, and orders files of one by the UTF-8 bytes of their paths", async () => {
    await lay("b/é.txt", "b/z.txt", "b/Z.txt", "b/z/a.txt", "a/1.txt");
    expect(await list(["b", "a/1.txt", "b/z.txt"])).toEqual([
      "0:b/Z.txt",
      "0:b/z.txt",
      "0:b/z/a.txt",
      "0:b/é.txt",
      "1:a/1.txt",
      "2:b/z.txt",
    ]);
  });

  test("matches globs of every kind on names, not on percent-encoding", async () => {
    await lay("in/one two.txt", "in/deep/er/x.txt", "in/x.csv", "in/y1.txt", "in/.hidden.txt", "in/50%.txt");
    expect(await list(["in/**/*.txt"])).toEqual([
      "0:in/50%.txt",
      "0:in/deep/er/x.txt",
      "0:in/one two.txt",
      "0:in/y1.txt",
    ]);
    expect(await list(["in/{x,nothing}.csv", "in/y?.txt", "in/y[0-9].txt", "in/one *"])).toEqual([
      "0:in/x.csv",
      "1:in/y1.txt",
      "2:in/y1.txt",
      "3:in/one two.txt",
    ]);
  });

  test("takes a name that looks like a pattern for the file where there is one", async () => {
    await lay("in/a[1].txt", "in/a1.txt");
    expect(await list(["in/a[1].txt"])).toEqual(["0:in/a[1].txt"]);
  });

  test("reads a directory without what starts with a dot or an underscore, at any depth", async () => {
    await lay("in/a", "in/.b", "in/_c", "in/d/e", "in/.git/f", "in/_old/g");
    expect(await list(["in"])).toEqual(["0:in/a", "0:in/d/e"]);
    expect(await list(["in/"])).toEqual(["0:in/a", "0:in/d/e"]);
  });

  test("reads of a job's output the part files that its manifest lists", async () => {
    await lay("in/part-00000", "in/part-00001", "in/part-99999", "in/extra", "in/side/part-00000");
    const files = ["part-00000", "part-00001", "side/part-00000"].map((name) => ({ name }));
    await writeFile(join(directory, "in/_SUCCESS"), JSON.stringify({ jobId: "j", files }));
    expect(await list(["in"])).toEqual(["0:in/part-00000", "0:in/part-00001"]);
    await rm(join(directory, "in/part-00001"));
    await expect(list(["in"])).rejects.toMatchObject({ code: "INPUT_NOT_FOUND" });
    await rm(join(directory, "in/_SUCCESS"));
    await lay("in/_SUCCESS");
    expect(await list(["in"])).toEqual(["0:in/part-00000", "0:in/part-99999"]);
  });

  test("refuses an input that matches nothing, and names it", async () => {
    await mkdir(join(directory, "empty"));
    for (const input of ["none.txt", "empty", "none/**/*.txt"]) {
      await expect(list([input])).rejects.toMatchObject({
        code: "INPUT_NOT_FOUND",
        message: expect.stringContaining(join(directory, input)),
      });
    }
  });

  test("refuses an output that is also an input", async () => {
    await lay("in/a", "in/out/part-00000");
    await expect(list(["in"], "in/out")).rejects.toThrow(/is also an input/);
    await expect(list(["in/*/part-*"], "in/out")).rejects.toThrow(/is also an input/);
    expect(await list(["in/a"], "in/out")).toEqual(["0:in/a"]);
  });
});
