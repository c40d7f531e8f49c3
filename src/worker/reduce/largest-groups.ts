// Owns the list of the heaviest keys of one execution.

import type { LargestGroup } from "../../shared/job/result.ts";
import { decodeKey } from "../../shared/keys/codec.ts";
import { keyText } from "./key-text.ts";

const maxGroups = 10;

/** The ten groups with the most records, the first ones met where there are as many. */
export class LargestGroups {
  readonly #groups: LargestGroup[] = [];
  /** A group with no more records than this does not get in: what most groups are asked, and no more. */
  #least = 0;

  /** Notes a group of `records` records; its key is encoded, `keyLength` bytes from 0. */
  add(key: Uint8Array, keyLength: number, records: number): void {
    if (records > this.#least) this.#insert({ key: keyText(decodeKey(key, 0, keyLength)), records });
  }

  /** The most records first. */
  list(): readonly LargestGroup[] {
    return this.#groups;
  }

  #insert(group: LargestGroup): void {
    const groups = this.#groups;
    const at = groups.findIndex(({ records }) => records < group.records);
    groups.splice(at < 0 ? groups.length : at, 0, group);
    if (groups.length > maxGroups) groups.pop();
    if (groups.length === maxGroups) this.#least = groups[maxGroups - 1].records;
  }
}
