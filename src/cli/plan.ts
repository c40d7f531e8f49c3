// Owns `--plan`: what a job would do, as a table. It lists inputs and cuts them by the master's own rule, and runs nothing.

import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import Table from "cli-table3";
import type { Bundle } from "../client/bundle.ts";
import { planSplits } from "../master/plan.ts";
import type { Split } from "../shared/job/document.ts";
import {
  checkedFields,
  resolveSpecification,
  type MapReduceSpecification,
} from "../shared/job/specification.ts";
import { FileStorage } from "../shared/storage/files/file-storage.ts";
import { bytes, count } from "./units.ts";

/** A plan may have a million map tasks: more rows than this tell nobody anything. */
const maxRows = 50;

/**
 * The plan as text that ends with a newline.
 * @throws MapReduceError INPUT_NOT_FOUND and what else stops a job while its inputs are listed
 */
export async function describePlan(specification: MapReduceSpecification, bundle: Bundle): Promise<string> {
  const document = resolveSpecification(specification, {
    jobId: "plan",
    bundle: { url: bundle.moduleUrl, sha256: bundle.sha256 },
    baseDirectory: dirname(fileURLToPath(checkedFields(specification).module ?? bundle.moduleUrl)),
  });
  const splits = await planSplits(new FileStorage(), document);
  const total = splits.reduce((sum, task) => sum + sizeOf(task), 0);
  const files = new Set(splits.flat().map(({ url }) => url)).size;
  const table = new Table({
    head: ["map task", "bytes", "splits", "first"],
    colAligns: ["right", "right", "right", "left"],
    style: { head: [], border: [], compact: true },
  });
  splits.slice(0, maxRows).forEach((task, number) => {
    table.push([`m${number}`, count(sizeOf(task)), count(task.length), describeSplit(task[0])]);
  });
  const more = splits.length > maxRows ? `... and ${count(splits.length - maxRows)} more map tasks\n` : "";
  return `${document.name}: ${count(splits.length)} map tasks over ${bytes(total)} in ${count(files)} files, ${count(document.reduceTasks)} reduce tasks
output: ${placeOf(document.output)}
${table.toString()}
${more}`;
}

function sizeOf(task: readonly Split[]): number {
  return task.reduce((sum, { start, end }) => sum + end - start, 0);
}

function describeSplit(split: Split | undefined): string {
  if (split === undefined) return "";
  const { url, start, end, fileSize } = split;
  return end - start === fileSize ? placeOf(url) : `${placeOf(url)}, bytes ${count(start)} to ${count(end)}`;
}

function placeOf(url: string): string {
  return url.startsWith("file:") ? fileURLToPath(url) : url;
}
