// Owns the promise that making a directory ends: also where Node's own recursive mkdir does not.

import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { makeDirectory, makeDirectorySync } from "../../../src/shared/storage/files/make-directory.ts";

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "make-directory-"));
});
afterAll(() => rmSync(directory, { recursive: true }));

describe("makeDirectory", () => {
  test("makes what is missing and says which was the first", async () => {
    expect(await makeDirectory(join(directory, "a/b/c"))).toBe(join(directory, "a"));
    expect(await makeDirectory(join(directory, "a/b/d"))).toBe(join(directory, "a/b/d"));
    expect(await makeDirectory(join(directory, "a/b/d"))).toBe(undefined);
    makeDirectorySync(join(directory, "x/y"));
    makeDirectorySync(join(directory, "x/y"));
    expect(statSync(join(directory, "x/y")).isDirectory()).toBe(true);
  });

  test("of many callers at once all succeed", async () => {
    const path = join(directory, "race/to/here");
    await Promise.all(Array.from({ length: 20 }, () => makeDirectory(path)));
    expect(statSync(path).isDirectory()).toBe(true);
  });

  test("rejects where a file is in the way", async () => {
    writeFileSync(join(directory, "file"), "");
    await expect(makeDirectory(join(directory, "file/below"))).rejects.toThrow("ENOTDIR");
    await expect(makeDirectory(join(directory, "file"))).rejects.toThrow("EEXIST");
    expect(() => makeDirectorySync(join(directory, "file/below"))).toThrow("ENOTDIR");
  });

  test.skipIf(!existsSync("/proc/self"))("ends below a file system that takes no directories", async () => {
    await expect(makeDirectory("/proc/none/below")).rejects.toThrow("ENOENT");
    expect(() => makeDirectorySync("/proc/none/below")).toThrow("ENOENT");
  });
});
