// Owns the list of scheduling policies. A new one is a file of its own and a line here.

import type { JobSettings } from "../decide/events.ts";
import { deal } from "./deal.ts";
import { pairwise } from "./pairwise.ts";
import type { Policy } from "./policy.ts";
import { pull } from "./pull.ts";

export const policies: { readonly [name in JobSettings["scheduling"]]: Policy } = { pull, deal, pairwise };
