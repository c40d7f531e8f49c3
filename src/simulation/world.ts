// Owns what everything in a simulation shares: clock, chance, the scenario, and the network between the others. The
// network loses, repeats and delays by the scenario's faults; without faults it only takes its time.

import { Clock } from "./clock.ts";
import type { Ledger } from "./ledger.ts";
import type { Random } from "./random.ts";
import type { Faults, Scenario } from "./scenario.ts";

/** The same for all that is not delayed by a fault: so that what one sender says arrives in its order, as brokers promise. */
const latencyMs = 1;

/** How a message may be treated: "any" fault, or only those after which it does arrive. */
export type Carriage = "any" | "arrives";

export class World {
  readonly clock = new Clock();
  readonly random: Random;
  readonly scenario: Scenario;
  readonly ledger: Ledger;

  constructor(random: Random, scenario: Scenario, ledger: Ledger) {
    this.random = random;
    this.scenario = scenario;
    this.ledger = ledger;
  }

  /** The faults that are at work now, or undefined once they are over. */
  get faults(): Faults | undefined {
    const { faults } = this.scenario;
    return faults !== null && this.clock.nowMs < faults.untilMs ? faults : undefined;
  }

  /** Something that happens with a fault's chance, and never once faults are over. */
  fails(fault: "loss" | "duplication" | "delay" | "userFailure" | "commitFailure"): boolean {
    const { faults } = this;
    return faults !== undefined && faults[fault] > 0 && this.random.chance(faults[fault]);
  }

  /** Carries a message: `deliver` is called once, or as the faults have it late, twice or never. */
  carry(carriage: Carriage, deliver: () => void): void {
    if (carriage === "any" && this.fails("loss")) return;
    this.clock.after(this.#latencyMs(), deliver);
    if (this.fails("duplication")) this.clock.after(this.#latencyMs(), deliver);
  }

  #latencyMs(): number {
    const { random, faults } = this;
    if (faults !== undefined && this.fails("delay")) return random.between(latencyMs, faults.longestDelayMs);
    return latencyMs;
  }
}
