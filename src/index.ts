// Owns the public API of mapreduce-fleet, and nothing else: what is exported here is what users may rely on.

export {
  csv,
  fixedLength,
  inputFormat,
  jsonl,
  lines,
  mapper,
  max,
  min,
  outputFormat,
  partitioner,
  reducer,
  sum,
  totalOrder,
} from "./shared/registry/handles.ts";
export { MapReduceSpecification } from "./shared/job/specification.ts";
export { JobFailedError, MapReduce, runAll } from "./embedded/map-reduce.ts";

export type * from "./shared/registry/functions.ts";
export type { Json } from "./shared/job/document.ts";
export type { Source } from "./shared/job/errors.ts";
export type {
  Duration,
  Format,
  FormatName,
  RecordOf,
  Size,
  SpecificationFields,
  UnreducedFields,
  WholeFile,
} from "./shared/job/specification-fields.ts";
export type { JobError, JobResult, Output, Progress, TaskTimes } from "./shared/job/result.ts";
export type { ExecOptions } from "./client/exec-options.ts";
export type { JobHandle } from "./client/follow.ts";
