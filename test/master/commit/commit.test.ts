// Owns the promises of output places and commits, on real directories: all or nothing, repeatable, nothing left over.

import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { commitJob, type Commit } from "../../../src/master/commit/commit.ts";
import { abandonOutput, checkOutputPlace } from "../../../src/master/commit/place.ts";
import { FileStorage } from "../../../src/shared/storage/files/file-storage.ts";
import type { PendingOutput, Storage } from "../../../src/shared/storage/storage.ts";

const storage: Storage = new FileStorage({ durability: "written" });
let root = "";
let path = "";
let output = "";

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "commit-"));
  path = join(root, "deep/er/out");
  output = pathToFileURL(path).href;
});
afterEach(() => rm(root, { recursive: true }));

function check(overwrite = false, live: readonly string[] = []): ReturnType<typeof checkOutputPlace> {
  return checkOutputPlace(storage, output, overwrite, (jobId) => live.includes(jobId));
}

/** Writes pending outputs as executions of a job would. */
async function pend(jobId: string, names: readonly string[]): Promise<Commit> {
  const pending = await Promise.all(
    names.map(async (name): Promise<PendingOutput> => {
      const url = `${output}/_temporary/${jobId}/${name}.x`;
      await storage.write(url, new TextEncoder().encode(`${jobId} ${name}`));
      return { name, url, records: 1, bytes: jobId.length + 1 + name.length };
    }),
  );
  return { output, jobId, name: "n", counters: { c: 1 }, pending };
}

async function tree(): Promise<string[]> {
  return (await readdir(root, { recursive: true })).sort();
}

describe("commitJob", () => {
  test("leaves the result files and a manifest of them, and nothing else", async () => {
    await check();
    await commitJob(storage, await pend("j1", ["part-00001", "part-00000"]));
    expect(await readdir(path)).toEqual(["_SUCCESS", "part-00000", "part-00001"]);
    expect(await readFile(join(path, "part-00000"), "utf8")).toBe("j1 part-00000");
    expect(JSON.parse(await readFile(join(path, "_SUCCESS"), "utf8"))).toEqual({
      jobId: "j1",
      name: "n",
      files: [
        { name: "part-00000", records: 1, bytes: 13 },
        { name: "part-00001", records: 1, bytes: 13 },
      ],
      counters: { c: 1 },
    });
  });

  test("can be begun anew after a failure at any of its steps, also while it replaces an earlier output", async () => {
    for (let failing = 1; ; failing++) {
      await rm(path, { recursive: true, force: true });
      await commitJob(storage, await pend("old", ["part-00000", "part-00001", "part-00002"]));
      await check(true);
      const commit = await pend("new", ["part-00000", "part-00001"]);
      let step = 0;
      const breaking = new Proxy(storage, {
        get(target, name: keyof Storage) {
          const method = target[name].bind(target) as (...args: unknown[]) => unknown;
          if (name === "read" || name === "list") return method;
          return async (...args: unknown[]) => {
            const result = await method(...args);
            // After the deed: it is done and nobody heard.
            if (++step === failing) throw new Error("broken");
            return result;
          };
        },
      });
      const broken = await commitJob(breaking, commit).then(
        () => false,
        () => true,
      );
      await commitJob(storage, commit);
      expect(await readdir(path)).toEqual(["_SUCCESS", "part-00000", "part-00001"]);
      expect(await readFile(join(path, "part-00001"), "utf8")).toBe("new part-00001");
      if (!broken) break;
      expect(failing).toBeLessThan(20);
    }
  });
});

describe("checkOutputPlace", () => {
  test("takes an absent or empty directory, and makes nothing", async () => {
    await check();
    expect(await tree()).toEqual([]);
    await mkdir(path, { recursive: true });
    await check();
    expect(await readdir(path)).toEqual([]);
  });

  test("refuses a directory that holds anything, and a file, by name", async () => {
    await mkdir(path, { recursive: true });
    await writeFile(join(path, "notes"), "");
    await expect(check()).rejects.toMatchObject({
      code: "OUTPUT_EXISTS",
      message: expect.stringContaining("notes"),
    });
    await rm(path, { recursive: true });
    await writeFile(path, "");
    await expect(check()).rejects.toMatchObject({ code: "OUTPUT_EXISTS" });
  });

  test("with overwrite takes exactly what a manifest lists, else names what is in the way", async () => {
    await commitJob(storage, await pend("old", ["part-00000"]));
    await expect(check()).rejects.toMatchObject({ code: "OUTPUT_EXISTS" });
    await check(true);
    await writeFile(join(path, "precious"), "");
    await expect(check(true)).rejects.toMatchObject({
      code: "OUTPUT_EXISTS",
      message: expect.stringContaining("precious"),
    });
    expect(await readdir(path)).toEqual(["_SUCCESS", "part-00000", "precious"]);
  });

  test("removes what a dead job left, and keeps off a live one's", async () => {
    await pend("dead", ["part-00000"]);
    await expect(check(false, ["dead"])).rejects.toMatchObject({ code: "OUTPUT_EXISTS" });
    await check();
    expect(await readdir(path)).toEqual([]);
  });

  test("refuses a place where nothing can be written", async () => {
    await writeFile(join(root, "deep"), "a file in the way");
    await expect(check()).rejects.toMatchObject({ code: "OUTPUT_NOT_WRITABLE" });
  });
});

describe("abandonOutput", () => {
  test("leaves the place as it was, without the directories that the job made", async () => {
    const place = await check();
    await pend("j1", ["part-00000"]);
    await abandonOutput(storage, place, "j1");
    await abandonOutput(storage, place, "j1");
    expect(await tree()).toEqual([]);
  });

  test("keeps directories that were there, and an output that was to be replaced", async () => {
    await commitJob(storage, await pend("old", ["part-00000"]));
    const before = await tree();
    const place = await check(true);
    await pend("j1", ["part-00000"]);
    await abandonOutput(storage, place, "j1");
    expect(await tree()).toEqual(before);
    await rm(path, { recursive: true });
    await mkdir(path);
    const empty = await check();
    await pend("j2", ["part-00000"]);
    await abandonOutput(storage, empty, "j2");
    expect(await readdir(path)).toEqual([]);
  });
});
