// Owns the policy "pull": tasks wait in a shared queue, and whoever has a free slot takes one.

import type { Policy } from "./policy.ts";

export const pull: Policy = () => null;
