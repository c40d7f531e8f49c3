// Holds the core to its decisions, event by event: late, twice, lost and out of order.

import { describe, expect, test } from "vitest";
import { resume } from "../../../src/master/decide/resume.ts";
import { cancelled, Core, jobId, of, pendingOf, published } from "./core.ts";

/** One worker has done both maps; two reduces are out. */
function reducing(workers: readonly string[] = ["a", "b"], maxAttempts = 2): Core {
  const core = Core.running(2, 2, workers, { maxAttempts });
  core.succeed("a", "m0/1");
  core.succeed("a", "m1/1");
  return core;
}

function committing(): Core {
  const core = reducing();
  core.succeed("a", "r0/1");
  core.succeed("b", "r1/1");
  return core;
}

describe("reports", () => {
  test("a job is accepted, mapped, reduced, committed, finished and released, each once", () => {
    const core = committing();
    core.tell({ kind: "Committed", jobId });
    expect(published(core.effects).toSorted()).toEqual(["m0/1", "m1/1", "r0/1", "r1/1"]);
    for (const kind of ["AcceptJob", "CommitJob", "FinishJob", "ReleaseJob"] as const)
      expect(of(core.effects, kind)).toHaveLength(1);
    const [{ result }] = of(core.effects, "FinishJob");
    expect(result).toMatchObject({ state: "succeeded", counters: { m0: 1, m1: 1, r0: 1, r1: 1 } });
  });

  test("every report may come twice: it is counted once, and what was accepted is never discarded", () => {
    const core = reducing();
    core.succeed("a", "m0/1");
    for (const ref of ["r0/1", "r0/1", "r1/1", "r1/1", "r0/1"]) core.succeed("b", ref);
    expect(core.job.state).toBe("committing");
    expect(core.job.counters).toEqual({ m0: 1, m1: 1, r0: 1, r1: 1 });
    expect(of(core.effects, "DiscardPending")).toEqual([]);
    expect(of(core.effects, "CommitJob")[0].pending).toEqual([
      pendingOf("b", "r0/1"),
      pendingOf("b", "r1/1"),
    ]);
  });

  test("of two executions of one reduce the first is accepted and the other discarded", () => {
    const core = reducing();
    core.succeed("a", "r0/1");
    expect(of(core.succeed("b", "r0/1"), "DiscardPending")).toMatchObject([
      { pending: [pendingOf("b", "r0/1")] },
    ]);
  });

  test("a report that comes after the job's end is discarded", () => {
    const core = reducing();
    core.tell({ kind: "CancelRequested", jobId });
    expect(of(core.succeed("b", "r1/1"), "DiscardPending")).toHaveLength(1);
    expect(core.job.state).toBe("cancelled");
  });

  test("a report of a reduce under a map's id changes nothing", () => {
    const core = Core.running(1, 1, ["a"]);
    const report = { phase: "reduce", counters: {}, pendingOutputs: [], largestGroups: [] } as const;
    const about = {
      protocol: 1,
      jobId,
      taskId: "m0",
      attempt: 1,
      executionId: "a:m0/1",
      worker: "a",
    } as const;
    core.tell({ kind: "Reported", report: { kind: "AttemptSucceeded", ...about, report } });
    expect(core.job.map.done).toBe(0);
  });

  test("reports of no task, or of no job, change nothing", () => {
    const core = Core.running(1, 1, ["a"]);
    expect(core.succeed("a", "m9/1")).toEqual([]);
    expect(core.succeed("a", "x0/1")).toEqual([]);
    expect(core.job.map.done).toBe(0);
  });
});

describe("failures", () => {
  test("a failed attempt is made again, and the job fails with its cause at the last one", () => {
    const core = reducing();
    expect(published(core.fail("a", "r0/1"))).toEqual(["r0/2"]);
    const effects = core.fail("b", "r0/2");
    const [{ result }] = of(effects, "FinishJob");
    expect(result).toMatchObject({ state: "failed", error: { code: "USER_CODE_THREW", task: "r0" } });
    expect(of(effects, "ReleaseJob")).toHaveLength(1);
  });

  test("a failure that comes twice counts once", () => {
    const core = reducing();
    core.fail("a", "r0/1");
    core.fail("a", "r0/1");
    expect(core.job.state).toBe("running");
  });

  test("what another attempt can't help fails the job at once", () => {
    const core = Core.running(1, 1, ["a"]);
    core.fail("a", "m0/1", "FUNCTION_UNKNOWN");
    expect(core.job.result).toMatchObject({ state: "failed", error: { code: "FUNCTION_UNKNOWN" } });
  });

  test("a dead-lettered message is one failed attempt", () => {
    const core = Core.running(1, 1, ["a"]);
    const dead = { kind: "TaskDeadLettered", jobId, phase: "map", number: 0, reason: "too often" } as const;
    expect(published(core.tell({ ...dead, attempt: 1 }))).toEqual(["m0/2"]);
    core.tell({ ...dead, attempt: 2 });
    expect(core.job.result).toMatchObject({ state: "failed", error: { code: "BROKER_FAILED", task: "m0" } });
  });

  test("a commit that fails is the job's failure", () => {
    const core = committing();
    core.tell({ kind: "CommitFailed", jobId, failure: { code: "STORAGE_FAILED", message: "away" } });
    expect(core.job.result).toMatchObject({ state: "failed", error: { code: "STORAGE_FAILED" } });
  });
});

describe("cancelling", () => {
  test("a job that is being planned is rejected, and a plan that comes later is not heeded", () => {
    const core = new Core();
    core.tell({ kind: "JobSubmitted", jobId, document: { url: "file:///document", sha256: "" } });
    const effects = core.tell({ kind: "CancelRequested", jobId });
    expect(of(effects, "RejectJob")).toMatchObject([{ failure: { code: "JOB_CANCELLED" } }]);
    expect(core.job.state).toBe("cancelled");
  });

  test("a running job ends at once, its attempts with it", () => {
    const core = Core.running(2, 1, ["a"]);
    core.beat("a", { runs: { "m0/1": 0.5 } });
    const effects = core.tell({ kind: "CancelRequested", jobId });
    expect(cancelled(effects)).toEqual(["m0/1 on a"]);
    expect(of(effects, "FinishJob")).toMatchObject([{ result: { state: "cancelled" } }]);
  });

  test("a job whose commit has begun succeeds all the same", () => {
    const core = committing();
    expect(core.tell({ kind: "CancelRequested", jobId })).toEqual([]);
    core.tell({ kind: "Committed", jobId });
    expect(core.job.state).toBe("succeeded");
  });

  test("a job that is over stays as it is", () => {
    const core = committing();
    core.tell({ kind: "Committed", jobId });
    expect(core.tell({ kind: "CancelRequested", jobId })).toEqual([]);
    expect(core.job.state).toBe("succeeded");
  });
});

describe("losses", () => {
  test("an attempt that two heartbeats of its worker miss is made again; one that only one misses is not", () => {
    const core = Core.running(1, 1, ["a", "b"]);
    core.beat("a", { runs: { "m0/1": 0.5 } });
    expect(published(core.beat("a"))).toEqual([]);
    expect(published(core.beat("a"))).toEqual(["m0/2"]);
  });

  test("a stale heartbeat is not heeded", () => {
    const core = Core.running(1, 1, ["a"]);
    core.beat("a", { runs: { "m0/1": 0.5 } });
    const [worker] = core.state.workers.values();
    const { sequence } = worker;
    const before = core.effects.length;
    const heartbeat = { kind: "WorkerHeartbeat", protocol: 1, worker: "a", machine: "machine of a" } as const;
    const rest = {
      address: null,
      scratchDirectory: "",
      slots: 2,
      freeSlots: 2,
      draining: false,
      unfit: null,
    };
    for (let n = 0; n < 3; n++)
      core.tell({ kind: "Heartbeat", heartbeat: { ...heartbeat, ...rest, sequence, executions: [] } });
    expect(core.effects).toHaveLength(before);
  });

  test("of a lost worker, attempts and outputs that are still needed are made again", () => {
    const core = Core.running(2, 1, ["a", "b"]);
    core.succeed("a", "m0/1");
    core.beat("a", { runs: { "m1/1": 0.5 } });
    const effects = core.tell({ kind: "WorkerLost", worker: "a" });
    expect(published(effects).toSorted()).toEqual(["m0/2", "m1/2"]);
  });

  test("a worker that is silent while others are heard is lost", () => {
    const core = Core.running(1, 1, ["a", "b"]);
    core.beat("a", { runs: { "m0/1": 0.1 } });
    const effects = Array.from({ length: 8 }, () => {
      core.nowMs += 3_000;
      // b takes what is made again.
      return [
        ...core.beat("b", core.job.map.attempts[0] > 1 ? { runs: { "m0/2": 0.1 } } : {}),
        ...core.tick(),
      ];
    }).flat();
    expect(published(effects)).toEqual(["m0/2"]);
  });

  test("a map output that a reduce could not read is made again, and counted once", () => {
    const core = reducing();
    expect(published(core.loseOutput("b", "r0/1", "a", "m1/1"))).toContain("m1/2");
    core.succeed("b", "m1/2");
    expect(core.job.counters["m1"]).toBe(1);
    expect(core.job.outputs[1]).toMatchObject({ worker: "b", attempt: 2 });
  });

  test("news of an output that was replaced already is old", () => {
    const core = reducing();
    core.loseOutput("b", "r0/1", "a", "m1/1");
    core.succeed("b", "m1/2");
    expect(published(core.loseOutput("a", "r1/1", "a", "m1/1"))).toEqual([]);
    expect(core.job.outputs[1]).toMatchObject({ worker: "b" });
  });

  test("the report of an output that could not be read, come again, is not accepted", () => {
    const core = reducing();
    core.loseOutput("b", "r0/1", "a", "m1/1");
    core.succeed("a", "m1/1");
    expect(core.job.outputs[1]).toBeUndefined();
    core.succeed("b", "m1/2");
    expect(core.job.outputs[1]).toMatchObject({ worker: "b" });
  });

  test("outputs that are lost after every reduce is done are not made again", () => {
    const core = committing();
    expect(published(core.tell({ kind: "WorkerLost", worker: "a" }))).toEqual([]);
  });

  test("a task that waits while every slot is busy is not lost, however long it waits", () => {
    const core = Core.running(4, 1, ["a"]);
    const runs = { "m0/1": 0.1, "m1/1": 0.1 };
    for (let n = 0; n < 100; n++) {
      core.nowMs += 3_000;
      core.beat("a", { runs });
      core.tick();
    }
    expect(published(core.effects)).toEqual(["m0/1", "m1/1", "m2/1", "m3/1"]);
    expect(core.job.state).toBe("running");
  });

  test("a message that nobody takes, though slots are free, is sent again as another attempt", () => {
    const core = Core.running(1, 1, ["a"]);
    for (let n = 0; n < 5; n++) {
      core.nowMs += 3_000;
      core.beat("a");
      core.tick();
    }
    expect(published(core.effects)).toEqual(["m0/1", "m0/2"]);
  });
});

describe("after a replay", () => {
  test("a master goes on with what its predecessor may not have come to", () => {
    const planning = new Core();
    planning.tell({ kind: "JobSubmitted", jobId, document: { url: "file:///document", sha256: "" } });
    expect(resume(planning.state)).toEqual([{ kind: "PlanJob", jobId }]);
    const core = committing();
    expect(of(resume(core.state), "CommitJob")).toMatchObject(of(core.effects, "CommitJob"));
    core.tell({ kind: "Committed", jobId });
    expect(of(resume(core.state), "FinishJob")).toEqual(of(core.effects, "FinishJob"));
  });
});
