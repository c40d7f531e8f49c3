// Owns the interface of a scheduling policy.

import type { Incarnation, Phase } from "../../shared/job/ids.ts";
import type { Job, MasterState } from "../decide/state.ts";

/**
 * Says who gets the job's next task of a phase: a worker, null for whoever takes it first from the shared queue, or
 * undefined where it has to wait. May move the turns in the state (dealing.ts) and the job's `unpaired`, nothing else.
 */
export type Policy = (state: MasterState, job: Job, phase: Phase) => Incarnation | null | undefined;
