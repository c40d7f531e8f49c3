// Owns the specification of a job: what making one checks, and how a checked one becomes the document that all its tasks
// share. It reads no input, touches no output and runs no function.

import { isAbsolute, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { Untyped } from "../registry/functions.ts";
import type { HashedFile, JobDocument } from "./document.ts";
import { MapReduceError } from "./errors.ts";
import type { JobId } from "./ids.ts";
import { checkFields, type CheckedFields } from "./specification-checks.ts";
import type { Format, SpecificationFields, SpecificationHandle } from "./specification-fields.ts";

/** A checked specification; KO and VO are what the job writes. */
export interface MapReduceSpecification<in KO = Untyped, in VO = Untyped> extends SpecificationHandle<
  KO,
  VO
> {}

class Specification {
  readonly name: string;
  declare readonly "~output": (key: Untyped, value: Untyped) => void;
  /** As the user wrote them: what an option of the command line replaces a field of. */
  readonly fields: Readonly<Record<string, unknown>>;
  readonly checked: CheckedFields;

  constructor(fields: object, fieldNames?: ReadonlyMap<string, string>) {
    this.checked = checkFields(fields, fieldNames);
    this.fields = Object.freeze({ ...fields });
    this.name = this.checked.name;
  }
}

/**
 * Checks a job's specification; making one does nothing else. What it takes: docs and types of the fields.
 * @throws MapReduceError SPECIFICATION_INVALID naming all problems together, NOT_YET_AVAILABLE where the only problems
 *   are features that come later
 */
export const MapReduceSpecification: {
  new <
    K = Untyped,
    V = Untyped,
    KO = Untyped,
    VO = Untyped,
    F extends Format = "lines",
    const I extends readonly Format[] = readonly "lines"[],
  >(
    fields: SpecificationFields<F, I, K, V, KO, VO>,
  ): MapReduceSpecification<KO, VO>;
} = Specification;

/** What a specification came to: defaults resolved, paths as written. @throws MapReduceError where it is none of ours */
export function checkedFields(specification: MapReduceSpecification): CheckedFields {
  return asSpecification(specification).checked;
}

/** The same specification with some fields written anew, checked like the first. */
export function withFields(
  specification: MapReduceSpecification,
  fields: Readonly<Record<string, unknown>>,
  /** How errors call a field, where that is not its own name. */
  fieldNames: ReadonlyMap<string, string>,
): MapReduceSpecification {
  return new Specification({ ...asSpecification(specification).fields, ...fields }, fieldNames);
}

/** The fields as the user wrote them. */
export function writtenFields(specification: MapReduceSpecification): Readonly<Record<string, unknown>> {
  return asSpecification(specification).fields;
}

function asSpecification(specification: unknown): Specification {
  if (specification instanceof Specification) return specification;
  throw new MapReduceError(
    "SPECIFICATION_INVALID",
    `specification: found ${specification === null ? "null" : typeof specification}, expected a MapReduceSpecification`,
  );
}

/** What a specification does not know by itself. */
export interface ResolveOptions {
  readonly jobId: JobId;
  readonly bundle: HashedFile;
  /** An absolute path: what relative paths of the specification start from. */
  readonly baseDirectory: string;
}

/**
 * Makes the job's document of a specification: every place a URL, every default in it.
 * @throws MapReduceError SPECIFICATION_INVALID where it is not a MapReduceSpecification
 */
export function resolveSpecification(
  specification: MapReduceSpecification,
  { jobId, bundle, baseDirectory }: ResolveOptions,
): JobDocument {
  const { module: _module, ...checked } = checkedFields(specification);
  return {
    protocol: 1,
    jobId,
    bundle,
    ...checked,
    inputs: checked.inputs.map((input) => ({ ...input, url: resolveUrl(input.url, baseDirectory) })),
    output: resolveUrl(checked.output, baseDirectory).replace(/(?<=[^/])\/+$/, ""),
  };
}

/** A path, a glob or a URL as an absolute URL. */
export function resolveUrl(place: string, baseDirectory: string): string {
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(place)) return place;
  return pathToFileURL(isAbsolute(place) ? place : resolve(baseDirectory, place)).href;
}
