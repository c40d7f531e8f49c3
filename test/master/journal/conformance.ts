// Owns the tests that every journal must pass: the promises of src/master/journal/journal.ts, one by one.

import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { JournalledEvent } from "../../../src/master/decide/events.ts";
import type { Journal, JournalContents } from "../../../src/master/journal/journal.ts";

/** One journal, and any number of masters that would write it. */
export interface JournalUnderTest {
  /** The journal as one more master has it, not yet open. */
  journal(): Journal;
  close(): Promise<void>;
}

export const event = (number: number): JournalledEvent => ({
  kind: "CancelRequested",
  atMs: number + 0.125,
  jobId: `job-${number}`,
});

export async function eventsOf(contents: JournalContents): Promise<JournalledEvent[]> {
  const events: JournalledEvent[] = [];
  for await (const each of contents.events) events.push(each);
  return events;
}

/** Declares the tests. `start` gives an empty journal to each of them. */
export function describeJournal(name: string, start: () => Promise<JournalUnderTest>): void {
  describe(`a journal: ${name}`, () => {
    let place: JournalUnderTest;

    beforeEach(async () => {
      place = await start();
    });

    afterEach(() => place.close());

    /** Opens the journal as a new master and gives what it starts from. */
    async function contents(): Promise<{
      readonly epoch: number;
      readonly snapshot: string | undefined;
      readonly events: JournalledEvent[];
    }> {
      const opened = await place.journal().open();
      const { epoch, snapshot } = opened;
      const text = snapshot === undefined ? undefined : Buffer.from(snapshot).toString();
      return { epoch, snapshot: text, events: await eventsOf(opened) };
    }

    test("the first master finds epoch 1 and nothing", async () => {
      expect(await contents()).toEqual({ epoch: 1, snapshot: undefined, events: [] });
    });

    test("the next master finds every event, equal and in order, and a higher epoch", async () => {
      const failure = { code: "USER_CODE_THREW", message: "line 1\nline 2 \u2028 \u{1F600}" } as const;
      const refused: JournalledEvent = { kind: "JobRefused", atMs: 4, jobId: "j", failure };
      const first = place.journal();
      await first.open();
      await first.append([event(1), event(2)]);
      await first.append([refused]);
      await first.close();
      expect(await contents()).toEqual({
        epoch: 2,
        snapshot: undefined,
        events: [event(1), event(2), refused],
      });
      expect((await contents()).epoch).toBe(3);
    });

    test("who opens deposes who had it open: its events are refused, now and later", async () => {
      const [old, next] = [place.journal(), place.journal()];
      await old.open();
      await old.append([event(1)]);
      await next.open();
      await expect(old.append([event(2)])).rejects.toMatchObject({ code: "MASTER_DEPOSED" });
      await next.append([event(3)]);
      await expect(old.append([event(4)])).rejects.toMatchObject({ code: "MASTER_DEPOSED" });
      await expect(old.writeSnapshot(Buffer.from("old"))).rejects.toMatchObject({ code: "MASTER_DEPOSED" });
      expect(await contents()).toMatchObject({ snapshot: undefined, events: [event(1), event(3)] });
    });

    test("of masters that open at once each has its own epoch, and one can append", async () => {
      const masters = Array.from({ length: 5 }, () => place.journal());
      const epochs = (await Promise.all(masters.map((each) => each.open()))).map(({ epoch }) => epoch);
      expect(new Set(epochs).size).toBe(5);
      const outcomes = await Promise.allSettled(masters.map((each) => each.append([event(0)])));
      const highest = epochs.indexOf(Math.max(...epochs));
      expect(outcomes.map(({ status }) => status)).toEqual(
        masters.map((_, index) => (index === highest ? "fulfilled" : "rejected")),
      );
      expect((await contents()).events).toEqual([event(0)]);
    });

    test("whoever opens and appends in whatever order: what was confirmed is there, in order, and nothing else", async () => {
      const step = fc.record({
        master: fc.nat({ max: 2 }),
        act: fc.constantFrom("open", "append", "append"),
      });
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
          const before = (await contents()).events;
          const masters: (Journal | undefined)[] = [undefined, undefined, undefined];
          const confirmed: JournalledEvent[] = [];
          for (const [index, { master, act }] of steps.entries()) {
            if (act === "open") {
              masters[master] = place.journal();
              await masters[master].open();
            } else {
              await masters[master]?.append([event(index)]).then(
                () => confirmed.push(event(index)),
                () => {},
              );
            }
          }
          expect((await contents()).events).toEqual([...before, ...confirmed]);
        }),
        { numRuns: 20 },
      );
    });

    test("a snapshot takes the place of what came before it", async () => {
      const master = place.journal();
      await master.open();
      await master.append([event(1)]);
      await master.writeSnapshot(Buffer.from("state\nafter 1"));
      expect(await contents()).toEqual({ epoch: 2, snapshot: "state\nafter 1", events: [] });
      const next = place.journal();
      await next.open();
      await next.append([event(2)]);
      expect(await contents()).toMatchObject({ snapshot: "state\nafter 1", events: [event(2)] });
    });

    test("a snapshot is due after a thousand appends, and not again before a thousand more", async () => {
      const master = place.journal();
      await master.open();
      let appends = 0;
      for (const due of [1, 2]) {
        while (!master.snapshotDue) await master.append([event(++appends)]);
        expect(appends).toBeGreaterThan(990 * due);
        expect(appends).toBeLessThanOrEqual(1_000 * due);
        await master.writeSnapshot(Buffer.from(`after ${appends}`));
        expect(master.snapshotDue).toBe(false);
      }
      expect(await contents()).toMatchObject({ snapshot: `after ${appends}`, events: [] });
    });

    test("a master that was deposed without knowing may write a snapshot without harm", async () => {
      const [old, next] = [place.journal(), place.journal()];
      await old.open();
      await old.append([event(1)]);
      const opened = await next.open();
      await old.writeSnapshot(Buffer.from("after 1"));
      expect(await eventsOf(opened)).toEqual([event(1)]);
      await next.append([event(2)]);
      expect(await contents()).toMatchObject({ snapshot: "after 1", events: [event(2)] });
    });

    test("what is not open takes nothing; closing twice is fine", async () => {
      const master = place.journal();
      await expect(master.append([event(1)])).rejects.toMatchObject({ code: "STORAGE_FAILED" });
      await master.open();
      await master.close();
      await master.close();
      await expect(master.append([event(1)])).rejects.toMatchObject({ code: "STORAGE_FAILED" });
      expect((await contents()).events).toEqual([]);
    });
  });
}
