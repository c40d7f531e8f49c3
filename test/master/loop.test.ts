// Owns the promises of the loop: journalled before decided, decided in order, performed before settled, failed for good.

import { describe, expect, test } from "vitest";
import type { Effect, MasterEvent } from "../../src/master/decide/events.ts";
import { Loop, type LoopOptions, type Offered } from "../../src/master/loop.ts";

const cancel = (jobId: string): Offered => ({ kind: "CancelRequested", jobId });

/** A loop whose outside is in the test's hands; `log` says what happened in which order. */
function scripted(options: Partial<LoopOptions> = {}): { loop: Loop; log: string[] } {
  const log: string[] = [];
  const name = (event: MasterEvent): string => ("jobId" in event ? event.jobId : event.kind);
  const loop = new Loop({
    clock: () => 7,
    append: async (events) => void log.push(`append ${events.map(name).join()}`),
    decide: (event) => {
      log.push(`decide ${name(event)}`);
      return "jobId" in event ? [{ kind: "AcceptJob", jobId: event.jobId }] : [];
    },
    perform: async (effect: Effect) => void log.push(`perform ${"jobId" in effect ? effect.jobId : ""}`),
    onFailure: (error) => void log.push(String(error)),
    ...options,
  });
  return { loop, log };
}

describe("Loop", () => {
  test("journals an event, then decides, then performs, then settles", async () => {
    const { loop, log } = scripted();
    await loop.offer(cancel("a"));
    expect([...log, "settled"]).toEqual(["append a", "decide a", "perform a", "settled"]);
  });

  test("gathers what comes during an append into the next, in order, volatile events among them but not journalled", async () => {
    const gate = Promise.withResolvers<void>();
    const appended: string[][] = [];
    const { loop, log } = scripted({
      append: async (events) => {
        appended.push(events.map((event) => ("jobId" in event ? event.jobId : event.kind)));
        await gate.promise;
      },
    });
    const offered = [cancel("a"), cancel("b"), { kind: "Tick" } as const, cancel("c")].map((event) =>
      loop.offer(event),
    );
    expect(log).toEqual([]);
    gate.resolve();
    await Promise.all(offered);
    expect(appended).toEqual([["a"], ["b", "c"]]);
    expect(log.filter((line) => line.startsWith("decide"))).toEqual([
      "decide a",
      "decide b",
      "decide Tick",
      "decide c",
    ]);
  });

  test("appends nothing for a batch without lasting events", async () => {
    const { loop, log } = scripted();
    await loop.offer({ kind: "Tick" });
    expect(log).toEqual(["decide Tick"]);
  });

  test("goes on deciding while effects are performed, and settles each with its own", async () => {
    const gate = Promise.withResolvers<void>();
    const { loop } = scripted({
      perform: (effect) => ("jobId" in effect && effect.jobId === "slow" ? gate.promise : Promise.resolve()),
    });
    let settled = false;
    const slow = loop.offer(cancel("slow")).then(() => (settled = true));
    await loop.offer(cancel("fast"));
    expect(settled).toBe(false);
    gate.resolve();
    await slow;
  });

  test.each(["append", "decide", "perform"] as const)(
    "fails for good when %s fails: told once, and nothing is settled any more",
    async (step) => {
      const broken = new Error(`${step} broke`);
      let calls = 0;
      const failing = (): never => {
        calls++;
        throw broken;
      };
      const asynchronous = async (): Promise<void> => failing();
      const { loop, log } = scripted({ [step]: step === "decide" ? failing : asynchronous });
      const offered = [loop.offer(cancel("a")), loop.offer(cancel("b"))];
      const outcomes = await Promise.allSettled(offered);
      expect(outcomes[0]).toEqual({ status: "rejected", reason: broken });
      await expect(loop.offer(cancel("c"))).rejects.toBe(broken);
      expect(log.filter((line) => line.includes("broke"))).toEqual([`Error: ${step} broke`]);
      expect(calls).toBeLessThanOrEqual(2);
    },
  );
});
