// Owns the tests that every storage adapter must pass: the promises of src/shared/storage/storage.ts, one by one.

import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { PendingOutput, Storage, StoredFile } from "../../../src/shared/storage/storage.ts";

/** A place of its own in some storage. */
export interface StorageUnderTest {
  readonly storage: Storage;
  /** A URL without a trailing slash, with nothing below it. */
  readonly root: string;
  /** Makes a pending output as an execution of a job does. */
  makePending(output: string, name: string, bytes: Uint8Array): Promise<PendingOutput>;
  close(): Promise<void>;
}

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
const decode = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

/** The whole listing. */
export async function listAll(storage: Storage, url: string): Promise<StoredFile[]> {
  const files: StoredFile[] = [];
  for await (const file of storage.list(url)) files.push(file);
  return files;
}

/** Declares the tests. `open` gives an empty place to each of them. */
export function describeStorage(name: string, open: () => Promise<StorageUnderTest>): void {
  describe(`a storage: ${name}`, () => {
    let place: StorageUnderTest;
    let storage: Storage;
    let root: string;

    beforeEach(async () => {
      place = await open();
      ({ storage, root } = place);
    });

    afterEach(() => place.close());

    const listed = (url: string): Promise<StoredFile[]> => listAll(storage, url);

    async function writeAll(...paths: string[]): Promise<void> {
      await Promise.all(paths.map((path) => storage.write(`${root}/${path}`, encode(path))));
    }

    async function textAt(path: string): Promise<string> {
      return decode(await storage.read(`${root}/${path}`));
    }

    describe("reading and writing", () => {
      test("what is written is read, an empty file too", async () => {
        await storage.write(`${root}/a/b/c`, encode("text"));
        await storage.write(`${root}/empty`, new Uint8Array());
        expect(await textAt("a/b/c")).toBe("text");
        expect(await storage.size(`${root}/a/b/c`)).toBe(4);
        expect(await textAt("empty")).toBe("");
        expect(await storage.size(`${root}/empty`)).toBe(0);
      });

      test("a range is what slice would give, short where the file is", async () => {
        const bytes = encode("0123456789");
        await storage.write(`${root}/f`, bytes);
        const position = fc.nat({ max: 14 });
        await fc.assert(
          fc.asyncProperty(position, fc.option(position, { nil: undefined }), async (start, end) => {
            expect(decode(await storage.read(`${root}/f`, start, end))).toBe(decode(bytes.slice(start, end)));
          }),
          { numRuns: 40 },
        );
      });

      test("what is not there is INPUT_NOT_FOUND to a reader, without a size to others; a directory is none", async () => {
        await writeAll("dir/file");
        for (const path of ["nothing", "dir", "dir/nothing", "dir/file/nothing"]) {
          await expect(storage.read(`${root}/${path}`)).rejects.toMatchObject({
            code: "INPUT_NOT_FOUND",
            message: expect.stringContaining(path) as unknown,
          });
          expect(await storage.size(`${root}/${path}`)).toBe(undefined);
        }
      });

      test("a file that is replaced is read whole, old or new", async () => {
        const versions = ["a", "b"].map((letter) => letter.repeat(200_000));
        await storage.write(`${root}/f`, encode(versions[0]));
        const seen = new Set<string>();
        for (let n = 0; n < 20; n++) {
          const writing = storage.write(`${root}/f`, encode(versions[n % 2]));
          for (const text of await Promise.all([textAt("f"), textAt("f"), textAt("f")])) seen.add(text);
          await writing;
        }
        expect(versions).toEqual(expect.arrayContaining([...seen]));
      });

      test("bytes may be changed once the write has resolved", async () => {
        const bytes = encode("before");
        await storage.write(`${root}/f`, bytes);
        bytes.fill(0);
        expect(await textAt("f")).toBe("before");
      });
    });

    describe("writing if absent", () => {
      test("of many at once exactly one wins, and its bytes are there", async () => {
        const tries = Array.from({ length: 20 }, (_, index) => String(index));
        const won = await Promise.all(
          tries.map((text) => storage.writeIfAbsent(`${root}/journal/1`, encode(text))),
        );
        expect(won.filter(Boolean)).toEqual([true]);
        expect(await textAt("journal/1")).toBe(String(won.indexOf(true)));
        expect((await listed(`${root}/journal`)).length).toBe(1);
      });

      test("where a file is, it stays", async () => {
        await writeAll("f");
        expect(await storage.writeIfAbsent(`${root}/f`, encode("other"))).toBe(false);
        expect(await textAt("f")).toBe("f");
      });
    });

    describe("listing", () => {
      test("nothing there is an empty listing", async () => {
        expect(await listed(`${root}/nothing`)).toEqual([]);
        expect(await listed(root)).toEqual([]);
      });

      test("a file is listed as itself, with its size", async () => {
        await writeAll("f", "f2");
        expect(await listed(`${root}/f`)).toEqual([{ url: `${root}/f`, size: 1 }]);
      });

      test("a directory gives everything below it and nothing beside it", async () => {
        await writeAll("dir/a", "dir/b/c", "dir/.hidden", "dir/_set-aside", "dir2/a", "dir.txt", "dir-a");
        expect((await listed(`${root}/dir`)).map(({ url }) => url)).toEqual([
          `${root}/dir/.hidden`,
          `${root}/dir/_set-aside`,
          `${root}/dir/a`,
          `${root}/dir/b/c`,
        ]);
      });

      test("paths come in the order of their UTF-8 bytes, whatever the directories", async () => {
        const names = fc.stringMatching(/^[-a0.~é]{1,2}$/).filter((each) => !/^\.+$/.test(each));
        const fixed = ["a/b", "a-b", "a0", "a.b", "\u{1F600}", "\uFFFD", "z/\u{1F600}/x", "z/\uFFFD/x"];
        await fc.assert(
          fc.asyncProperty(
            fc.array(fc.array(names, { minLength: 1, maxLength: 3 }), { maxLength: 12 }),
            async (random) => {
              await storage.remove(root);
              const paths = withoutPrefixes([...fixed, ...random.map((parts) => parts.join("/"))]);
              await writeAll(...paths.map((path) => path.split("/").map(encodeURIComponent).join("/")));
              const found = await listed(root);
              const expected = paths.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
              expect(found.map(({ url }) => decodeURIComponent(url.slice(root.length + 1)))).toEqual(
                expected,
              );
            },
          ),
          { numRuns: 15 },
        );
      });

      test("a listed URL reads the file, whatever its name", async () => {
        const names = [
          "with space",
          "100%",
          "a#b",
          "a?b",
          "ünïcode",
          "a+b",
          "a&b=c",
          "back\\slash",
          "'\"",
          "%41",
        ];
        for (const each of names) {
          await storage.write(`${root}/x/${encodeURIComponent(each)}`, encode(each));
        }
        const read: string[] = [];
        for (const { url, size } of await listed(`${root}/x`)) {
          expect(url.startsWith(`${root}/x/`)).toBe(true);
          expect(await storage.size(url)).toBe(size);
          read.push(decode(await storage.read(url)));
        }
        expect(read.sort()).toEqual(names.sort());
      });

      test("many files are all listed", async () => {
        const paths = Array.from({ length: 1_100 }, (_, index) => `many/${String(index).padStart(5, "0")}`);
        await writeAll(...paths);
        expect((await listed(`${root}/many`)).map(({ url }) => url)).toEqual(
          paths.map((path) => `${root}/${path}`),
        );
      });
    });

    describe("removing", () => {
      test("a file goes, its neighbours stay; nothing there is fine", async () => {
        await writeAll("f", "f2", "g/f");
        await storage.remove(`${root}/f`);
        await storage.remove(`${root}/f`);
        await storage.remove(`${root}/g/f/below`);
        expect((await listed(root)).map(({ url }) => url)).toEqual([`${root}/f2`, `${root}/g/f`]);
      });

      test("a directory goes with everything below it and nothing beside it", async () => {
        await writeAll("dir/a", "dir/b/c", "dir2/a");
        await storage.remove(`${root}/dir`);
        expect((await listed(root)).map(({ url }) => url)).toEqual([`${root}/dir2/a`]);
      });

      test("removeEmpty removes no file", async () => {
        await writeAll("out/x/f");
        await storage.removeEmpty(`${root}/out/x`, root);
        await storage.removeEmpty(`${root}/out/x/f`, root);
        expect(await textAt("out/x/f")).toBe("out/x/f");
      });

      test("checkWritable leaves nothing behind", async () => {
        await storage.checkWritable(`${root}/out/a/b`);
        expect(await listed(root)).toEqual([]);
        await writeAll("out/f");
        await storage.checkWritable(`${root}/out`);
        expect((await listed(root)).map(({ url }) => url)).toEqual([`${root}/out/f`]);
      });
    });

    describe("pending outputs", () => {
      const name = "part-00000";

      test("a committed one is a result file and no longer pending; again is fine", async () => {
        const output = `${root}/out`;
        const pending = await place.makePending(output, name, encode("result"));
        expect(await storage.size(`${output}/${name}`)).toBe(undefined);
        await storage.commitPending(output, pending);
        await storage.commitPending(output, pending);
        expect(await textAt(`out/${name}`)).toBe("result");
        await storage.remove(`${output}/_temporary`);
        expect((await listed(output)).map(({ url }) => url)).toEqual([`${output}/${name}`]);
      });

      test("one of a named output goes to its directory", async () => {
        const pending = await place.makePending(`${root}/out`, `errors/${name}`, encode("e"));
        await storage.commitPending(`${root}/out`, pending);
        expect(await textAt(`out/errors/${name}`)).toBe("e");
      });

      test("a discarded one is gone; again is fine, committing it is not", async () => {
        const output = `${root}/out`;
        const pending = await place.makePending(output, name, encode("result"));
        await storage.discardPending(pending);
        await storage.discardPending(pending);
        await expect(storage.commitPending(output, pending)).rejects.toMatchObject({
          code: "STORAGE_FAILED",
        });
        expect(await storage.size(`${output}/${name}`)).toBe(undefined);
      });

      test("one that would leave its output directory is refused", async () => {
        const output = `${root}/out`;
        await writeAll("precious");
        const pending = await place.makePending(output, name, encode("result"));
        for (const wrong of ["../x", "a/../../x", "/x", "", "a//b", "."]) {
          await expect(storage.commitPending(output, { ...pending, name: wrong })).rejects.toMatchObject({
            code: "STORAGE_FAILED",
          });
        }
        const foreign = { ...pending, url: `${root}/precious`, bytes: 8 };
        await expect(storage.commitPending(output, foreign)).rejects.toMatchObject({
          code: "STORAGE_FAILED",
        });
        await expect(storage.discardPending(foreign)).rejects.toMatchObject({ code: "STORAGE_FAILED" });
        expect(await textAt("precious")).toBe("precious");
      });
    });
  });
}

/** Leaves out what is a directory of another path: no store has both. */
function withoutPrefixes(paths: readonly string[]): string[] {
  return [...new Set(paths)].filter((path) => !paths.some((other) => other.startsWith(`${path}/`)));
}
