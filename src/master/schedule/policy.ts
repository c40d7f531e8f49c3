// Owns the interface of a scheduling policy.

import type { Incarnation, Phase } from "../../shared/job/ids.ts";
import type { MasterState } from "../decide/state.ts";

/**
 * Says who gets the next task of a phase: a worker, null for whoever takes it first from the shared queue, or undefined
 * where it has to wait. May move the dealing position in the state, and nothing else.
 */
export type Policy = (state: MasterState, phase: Phase) => Incarnation | null | undefined;
