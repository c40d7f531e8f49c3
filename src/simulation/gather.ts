// Owns how a simulated reduce comes to its segments, by the rules of src/worker/source-gatherer.ts: fetched as they become
// ready and kept whatever becomes of their worker; what can't be fetched is reported, and another execution's is waited for.

import type { ExecutionId } from "../shared/job/ids.ts";
import type { Place, SimulatedMapOutputs } from "./map-outputs.ts";
import type { World } from "./world.ts";

/** One request for what is ready by now; and how long it takes until a worker is known not to answer. */
const fetchMs = 5;
const giveUpMs = 2_000;

export interface GatherOptions {
  readonly world: World;
  readonly outputs: SimulatedMapOutputs;
  readonly maps: number;
  readonly holds: (place: Place) => boolean;
  readonly onLost: (place: Place) => void;
  readonly onComplete: () => void;
}

/** The sources of one reduce. */
export class SimulatedGatherer {
  readonly #options: GatherOptions;
  readonly sources: ExecutionId[] = [];
  readonly #lost = new Set<ExecutionId>();
  readonly #stopListening: () => void;
  #missing: number;
  /** How far the log of places was looked at. */
  #seen = 0;
  #fetching = false;
  #stopped = false;

  constructor(options: GatherOptions) {
    this.#options = options;
    this.#missing = options.maps;
    this.#stopListening = options.outputs.listen(() => this.#look());
    if (this.#missing === 0) options.world.clock.after(0, () => this.#complete());
    else this.#look();
  }

  get fraction(): number {
    return this.#options.maps === 0 ? 1 : 1 - this.#missing / this.#options.maps;
  }

  stop(): void {
    this.#stopped = true;
    this.#stopListening();
  }

  #look(): void {
    if (this.#fetching || this.#stopped || this.#seen === this.#options.outputs.log.length) return;
    this.#fetching = true;
    this.#options.world.clock.after(fetchMs, () => this.#fetch());
  }

  #fetch(): void {
    if (this.#stopped) return;
    const { world, outputs, holds } = this.#options;
    const { log } = outputs;
    const failed: Place[] = [];
    if (world.scenario.faults === null) {
      // Without faults every place is good and is heard of once: the paper's size is a billion pairs.
      this.#missing -= log.length - this.#seen;
      this.#seen = log.length;
    }
    while (this.#seen < log.length) {
      const { map } = log[this.#seen++];
      const place = outputs.latest(map);
      if (place === undefined || this.sources[map] !== undefined || this.#lost.has(place.executionId))
        continue;
      if (!holds(place)) {
        this.#lost.add(place.executionId);
        failed.push(place);
        continue;
      }
      this.sources[map] = place.executionId;
      this.#missing--;
    }
    world.clock.after(failed.length === 0 ? 0 : giveUpMs, () => {
      if (this.#stopped) return;
      failed.forEach(this.#options.onLost);
      this.#fetching = false;
      if (this.#missing === 0) this.#complete();
      else this.#look();
    });
  }

  #complete(): void {
    if (this.#stopped) return;
    this.stop();
    this.#options.onComplete();
  }
}
