// Runs the journal conformance tests on files, and breaks the storage beneath: lost answers, failures, missing and
// foreign files, a store without conditional writes.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, test } from "vitest";
import { MemoryJournalStorage } from "../../../src/master/journal/memory-journal.ts";
import { StorageJournal } from "../../../src/master/journal/storage-journal.ts";
import { FileStorage } from "../../../src/shared/storage/files/file-storage.ts";
import { describeJournal, event, eventsOf } from "./conformance.ts";

describeJournal("in files", async () => {
  const directory = await mkdtemp(join(tmpdir(), "journal-"));
  const storage = new FileStorage({ durability: "written" });
  return {
    journal: () => new StorageJournal(storage, `${pathToFileURL(directory).href}/journal`),
    close: () => rm(directory, { recursive: true }),
  };
});

const url = "memory://journal";

/** A storage whose next conditional write can be made to go wrong. */
class BreakableStorage extends MemoryJournalStorage {
  beforeWrite: () => Promise<void> = async () => {};
  /** "deny": the write happened, the answer says that it did not; "throw": the same, with an error. */
  answer: "true" | "deny" | "throw" = "true";

  override async writeIfAbsent(name: string, bytes: Uint8Array): Promise<boolean> {
    const { answer, beforeWrite } = this;
    this.answer = "true";
    this.beforeWrite = async () => {};
    await beforeWrite();
    const written = await super.writeIfAbsent(name, bytes);
    if (answer === "throw") throw new Error("connection reset");
    return answer === "deny" ? false : written;
  }
}

async function replay(storage: MemoryJournalStorage): Promise<unknown> {
  return eventsOf(await new StorageJournal(storage, url).open());
}

test("an append whose answer was lost counts, once", async () => {
  const storage = new BreakableStorage();
  const journal = new StorageJournal(storage, url);
  await journal.open();
  storage.answer = "deny";
  await journal.append([event(1)]);
  await journal.append([event(2)]);
  expect(await replay(storage)).toEqual([event(1), event(2)]);
});

test("after an append that failed the journal takes no more, and the next master sees what is there", async () => {
  const storage = new BreakableStorage();
  const journal = new StorageJournal(storage, url);
  await journal.open();
  storage.answer = "throw";
  await expect(journal.append([event(1)])).rejects.toThrow("connection reset");
  await expect(journal.append([event(2)])).rejects.toMatchObject({ code: "STORAGE_FAILED" });
  expect(await replay(storage)).toEqual([event(1)]);
});

test("a master that is still at work while it is deposed loses nothing that it had confirmed", async () => {
  const storage = new BreakableStorage();
  const [old, next] = [new StorageJournal(storage, url), new StorageJournal(storage, url)];
  await old.open();
  storage.beforeWrite = async () => {
    await old.append([event(1)]);
    storage.beforeWrite = () => old.append([event(2)]);
  };
  const opened = await next.open();
  expect(await eventsOf(opened)).toEqual([event(1), event(2)]);
  await expect(old.append([event(3)])).rejects.toMatchObject({ code: "MASTER_DEPOSED" });
});

test("a storage that writes again what is there is refused", async () => {
  const storage = new MemoryJournalStorage();
  storage.writeIfAbsent = async (name, bytes) => {
    await storage.write(name, bytes);
    return true;
  };
  await expect(new StorageJournal(storage, url).open()).rejects.toThrow(/expected conditional writes/);
});

test("a missing segment, a broken one and one of another format are named", async () => {
  const storage = new MemoryJournalStorage();
  const journal = new StorageJournal(storage, url);
  await journal.open();
  for (const number of [1, 2, 3]) await journal.append([event(number)]);
  const second = await storage.read(`${url}/segment-0000000002`);

  await storage.remove(`${url}/segment-0000000002`);
  await expect(replay(storage)).rejects.toMatchObject({
    code: "STORAGE_FAILED",
    message: expect.stringContaining("found no segment-0000000002") as unknown,
  });
  await storage.write(`${url}/segment-0000000002`, second.subarray(0, second.length - 1));
  await expect(replay(storage)).rejects.toThrow(/segment-0000000002: found .*, expected JSON/);
  await storage.write(`${url}/segment-0000000002`, Buffer.from('{"format":2}\n'));
  await expect(replay(storage)).rejects.toThrow(/segment-0000000002: found .*, expected format 1/);
  await storage.write(`${url}/segment-0000000002`, second);
  expect(await replay(storage)).toEqual([event(1), event(2), event(3)]);
});

test("files that are none of the journal's are left alone", async () => {
  const storage = new MemoryJournalStorage();
  await storage.write(`${url}/notes.txt`, Buffer.from("mine"));
  expect(await replay(storage)).toEqual([]);
  expect(Buffer.from(await storage.read(`${url}/notes.txt`)).toString()).toBe("mine");
});
