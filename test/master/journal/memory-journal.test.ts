// Runs the journal conformance tests on the journal in memory, and holds its bound.

import { expect, test } from "vitest";
import { MemoryJournal, MemoryJournalStorage } from "../../../src/master/journal/memory-journal.ts";
import { describeJournal, event } from "./conformance.ts";

describeJournal("in memory", async () => {
  const storage = new MemoryJournalStorage();
  return { journal: () => new MemoryJournal(storage), close: async () => {} };
});

test("with a snapshot whenever one is due, no more than two snapshots' worth of segments is kept", async () => {
  const storage = new MemoryJournalStorage();
  const journal = new MemoryJournal(storage);
  await journal.open();
  let most = 0;
  for (let appends = 1; appends <= 5_000; appends++) {
    await journal.append([event(appends)]);
    if (!journal.snapshotDue) continue;
    await journal.writeSnapshot(Buffer.from(String(appends)));
    const names: string[] = [];
    for await (const { url } of storage.list("memory://journal")) names.push(url);
    most = Math.max(most, names.length);
  }
  expect(most).toBeLessThanOrEqual(1_002);
});
