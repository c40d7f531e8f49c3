// Runs the storage conformance tests on a file system, and holds what only a file system has: links, directories,
// names that no URL can spell, files in the way.

import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { FileStorage } from "../../../../src/shared/storage/files/file-storage.ts";
import { describeStorage, listAll } from "../conformance.ts";

for (const durability of ["synced", "written"] as const) {
  describeStorage(`files, ${durability}`, async () => {
    const directory = await mkdtemp(join(tmpdir(), "file-storage-"));
    const storage = new FileStorage({ durability });
    return {
      storage,
      root: pathToFileURL(directory).href,
      makePending: async (output, name, bytes) => {
        const url = `${output}/_temporary/job-1/execution-1-${name.replace("/", "-")}`;
        await storage.write(url, bytes);
        return { name, url, records: 1, bytes: bytes.length };
      },
      close: () => rm(directory, { recursive: true }),
    };
  });
}

describe("a file system", () => {
  const storage = new FileStorage();
  let directory: string;
  let root: string;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "file-storage-"));
    root = pathToFileURL(directory).href;
  });

  afterEach(() => rm(directory, { recursive: true }));

  async function pathsBelow(url: string): Promise<string[]> {
    const files = await listAll(storage, url);
    return files.map((file) => file.url.slice(url.length + 1));
  }

  test("linked files and directories are followed", async () => {
    await mkdir(join(directory, "elsewhere"));
    await writeFile(join(directory, "elsewhere/f"), "text");
    await mkdir(join(directory, "in"));
    await symlink("../elsewhere/f", join(directory, "in/file"));
    await symlink("../elsewhere", join(directory, "in/dir"));
    await symlink("in", join(directory, "in-link"));
    for (const url of [`${root}/in`, `${root}/in-link`]) {
      expect(await listAll(storage, url)).toEqual([
        { url: `${url}/dir/f`, size: 4 },
        { url: `${url}/file`, size: 4 },
      ]);
    }
  });

  test("a link into its own parents is named, not walked for ever", async () => {
    await mkdir(join(directory, "a/b"), { recursive: true });
    await symlink("..", join(directory, "a/b/up"));
    await expect(pathsBelow(`${root}/a`)).rejects.toMatchObject({
      code: "STORAGE_FAILED",
      message: expect.stringContaining("a/b/up: found a link to") as unknown,
    });
  });

  test("a link to nowhere is named unless it is hidden", async () => {
    await symlink("nowhere", join(directory, ".#lock"));
    expect(await pathsBelow(root)).toEqual([]);
    await symlink("nowhere", join(directory, "lost"));
    await expect(pathsBelow(root)).rejects.toThrow(/lost: found a link to nowhere/);
  });

  test("removing a link leaves what it leads to", async () => {
    await mkdir(join(directory, "kept"));
    await writeFile(join(directory, "kept/f"), "text");
    await mkdir(join(directory, "out"));
    await symlink("../kept", join(directory, "out/link"));
    await storage.remove(`${root}/out`);
    expect(await pathsBelow(root)).toEqual(["kept/f"]);
  });

  test("a name that is not UTF-8 is named, a replacement character in a name is fine", async () => {
    await writeFile(join(directory, "\uFFFD"), "");
    expect(await pathsBelow(root)).toEqual(["%EF%BF%BD"]);
    await writeFile(Buffer.concat([Buffer.from(`${directory}/x`), Buffer.from([0xff])]), "");
    await expect(pathsBelow(root)).rejects.toThrow(/found a name that is not UTF-8/);
  });

  test("a file that is being written is in no listing, and a write that fails leaves none", async () => {
    const seen = new Set<string>();
    for (let n = 0; n < 5; n++) {
      const writing = storage.write(`${root}/f`, new Uint8Array(1_000_000));
      for (let look = 0; look < 5; look++) for (const path of await pathsBelow(root)) seen.add(path);
      await writing;
    }
    expect([...seen].filter((path) => path !== "f")).toEqual([]);

    await mkdir(join(directory, "taken"));
    await expect(storage.write(`${root}/taken`, new Uint8Array(1))).rejects.toMatchObject({
      code: "STORAGE_FAILED",
      cause: expect.anything() as unknown,
    });
    expect((await readdir(directory)).sort()).toEqual(["f", "taken"]);
  });

  test("a file in the way of a directory is named by every write", async () => {
    await writeFile(join(directory, "file"), "");
    const below = `${root}/file/below/x`;
    await expect(storage.write(below, new Uint8Array())).rejects.toMatchObject({ code: "STORAGE_FAILED" });
    await expect(storage.writeIfAbsent(below, new Uint8Array())).rejects.toMatchObject({
      code: "STORAGE_FAILED",
    });
    await expect(storage.checkWritable(below)).rejects.toMatchObject({
      code: "OUTPUT_NOT_WRITABLE",
      message: expect.stringContaining("file/below") as unknown,
    });
  });

  test("nearestDirectory and removeEmpty undo the making of directories, up to what was there", async () => {
    await mkdir(join(directory, "kept"));
    const output = `${root}/kept/a/b`;
    const keep = await storage.nearestDirectory(output);
    expect(keep).toBe(`${root}/kept`);
    await storage.write(`${output}/_temporary/job/f`, new Uint8Array());
    await storage.remove(`${output}/_temporary/job`);
    await storage.removeEmpty(`${output}/_temporary`, keep);
    expect(await readdir(directory, { recursive: true })).toEqual(["kept"]);
    await storage.removeEmpty(keep, keep);
    await storage.removeEmpty(root, keep);
    expect(await readdir(directory)).toEqual(["kept"]);
    expect(await storage.nearestDirectory(`${keep}/`)).toBe(keep);
    expect(await storage.nearestDirectory("file:///no-such-directory/x")).toBe("file:///");
  });

  test("removeEmpty stops at the first directory that holds something", async () => {
    await mkdir(join(directory, "a/b/c"), { recursive: true });
    await writeFile(join(directory, "a/other"), "");
    await storage.removeEmpty(`${root}/a/b/c`, root);
    expect(await readdir(join(directory, "a"))).toEqual(["other"]);
  });

  test("a pending output of another size than reported is not committed", async () => {
    const url = `${root}/out/_temporary/job/x`;
    await storage.write(url, new Uint8Array(5));
    const pending = { name: "part-00000", url, records: 1, bytes: 6 };
    await expect(storage.commitPending(`${root}/out`, pending)).rejects.toThrow(
      /found 5 bytes in .*expected 6/,
    );
    expect(await pathsBelow(`${root}/out`)).toEqual(["_temporary/job/x"]);
  });

  test("percent-encoding is read as such", async () => {
    await storage.write(`${root}/a%20b%2525`, Buffer.from("x"));
    expect(await readFile(join(directory, "a b%25"), "utf8")).toBe("x");
    expect(await pathsBelow(root)).toEqual(["a%20b%2525"]);
  });

  test.each([
    "file:///a?b",
    "file:///a#b",
    "file:///a%2Fb",
    "file:///a%ZZ",
    "file:///a%00b",
    "file://host/a",
    "/a",
    "http://host/a",
  ])("a URL that names no place without doubt is refused: %s", async (url) => {
    await expect(storage.read(url)).rejects.toMatchObject({ code: "STORAGE_FAILED" });
    await expect(storage.write(url, new Uint8Array())).rejects.toMatchObject({ code: "STORAGE_FAILED" });
    await expect(listAll(storage, url)).rejects.toMatchObject({ code: "STORAGE_FAILED" });
  });

  test("the root directory is not removed", async () => {
    await expect(storage.remove("file:///")).rejects.toMatchObject({ code: "STORAGE_FAILED" });
    await expect(storage.remove(`${root}/../..`)).rejects.toMatchObject({ code: "STORAGE_FAILED" });
  });
});
