// Owns the measuring of the master's core: one job at several sizes, each in a process of its own, and how the cost grows.
// `npm run bench -- --core` runs it.

import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import Table from "cli-table3";
import type { JobSettings } from "../src/master/decide/events.ts";
import { Fleet, type FleetCosts, type FleetSize } from "./core-fleet.ts";

/** Each ten times the one before it in maps and workers; the last is the paper's. */
const sizes: readonly FleetSize[] = [
  { maps: 2_000, reduces: 50, workers: 20 },
  { maps: 20_000, reduces: 500, workers: 200 },
  { maps: 200_000, reduces: 5_000, workers: 2_000 },
];
const policies = ["pull", "deal", "pairwise"] as const satisfies readonly JobSettings["scheduling"][];

interface CoreCosts extends FleetCosts {
  readonly cpuSeconds: number;
  readonly peakBytes: number;
}

/** Measures every size under every policy whose name `only` matches, and prints a table for each policy. */
export function measureCore(only: RegExp): void {
  for (const policy of policies.filter((name) => only.test(name))) {
    const measured = sizes.map((size) => ({ size, costs: measureInChild(size, policy) }));
    console.log(`${tableOf(policy, measured).toString()}\n`);
  }
}

function measureInChild({ maps, reduces, workers }: FleetSize, policy: string): CoreCosts {
  const size = [maps, reduces, workers].map(String);
  const text = execFileSync(process.execPath, [fileURLToPath(import.meta.url), ...size, policy], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
  return JSON.parse(text) as CoreCosts;
}

function tableOf(policy: string, measured: readonly { size: FleetSize; costs: CoreCosts }[]): Table.Table {
  const table = new Table({
    head: [policy, ...measured.map(({ size }) => `${size.maps}/${size.reduces}/${size.workers}`)],
    style: { head: [], border: [] },
    colAligns: ["left", ...measured.map(() => "right" as const)],
  });
  const row = (name: string, cell: (costs: CoreCosts, size: FleetSize) => string): void => {
    table.push([name, ...measured.map(({ size, costs }) => cell(costs, size))]);
  };
  row("CPU s, fleet included", ({ cpuSeconds }) => cpuSeconds.toFixed(2));
  row("s in decide", ({ decideMs }) => (decideMs / 1_000).toFixed(2));
  row("peak MB", ({ peakBytes }) => (peakBytes / 1e6).toFixed(0));
  row("virtual s", ({ elapsedMs }) => (elapsedMs / 1_000).toFixed(0));
  row("events", ({ events }) => String(total(events)));
  row("CPU us per event", ({ cpuSeconds, events }) => ((cpuSeconds * 1e6) / total(events)).toFixed(2));
  row("decide us per event", ({ decideMs, events }) => ((decideMs * 1e3) / total(events)).toFixed(2));
  const before = new Map(measured.slice(1).map(({ costs }, i) => [costs, measured[i].costs]));
  const growth = (name: string, of: (costs: CoreCosts) => number): void =>
    row(`${name}, times the size before`, (costs) => {
      const smaller = before.get(costs);
      return smaller === undefined ? "" : (of(costs) / of(smaller)).toFixed(1);
    });
  growth("events", ({ events }) => total(events));
  growth("effects", ({ effects }) => total(effects));
  growth("CPU", ({ cpuSeconds }) => cpuSeconds);
  row("effects per task", ({ effects }, { maps, reduces }) => (total(effects) / (maps + reduces)).toFixed(3));
  row("map outputs announced", ({ announcedOutputs }) => String(announcedOutputs));
  row("places announced", ({ announcedPlaces }) => String(announcedPlaces));
  for (const what of ["events", "effects"] as const) {
    const kinds = new Set(measured.flatMap(({ costs }) => Object.keys(costs[what])));
    for (const kind of kinds) row(`${what}: ${kind}`, (costs) => String(costs[what][kind] ?? 0));
  }
  return table;
}

function total(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}

if (import.meta.main) {
  const [maps, reduces, workers] = process.argv.slice(2, 5).map(Number);
  const policy = policies.find((name) => name === process.argv[5]) ?? "pull";
  const costs = new Fleet({ maps, reduces, workers }, policy).run();
  const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
  const measured: CoreCosts = {
    ...costs,
    cpuSeconds: (userCPUTime + systemCPUTime) / 1e6,
    peakBytes: maxRSS * 1_024,
  };
  console.log(JSON.stringify(measured));
}
