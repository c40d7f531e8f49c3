// Owns how people write sizes and durations: "64MiB", "10m".

import ms from "ms";

const byteUnits: { readonly [unit: string]: number } = {
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40,
};

/** Bytes of 1536, "1536", "1.5KiB" (powers of 1024) or "1.5kB" (powers of 1000); undefined for anything else. */
export function parseSize(size: unknown): number | undefined {
  if (typeof size === "number") return Number.isSafeInteger(size) ? size : undefined;
  if (typeof size !== "string") return undefined;
  const [, digits, unit = ""] = /^(\d+(?:\.\d+)?) ?([a-z]*)$/i.exec(size.trim()) ?? [];
  if (digits === undefined) return undefined;
  const bytes = Number(digits) * (unit === "" ? 1 : (byteUnits[unit.toLowerCase()] ?? Number.NaN));
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** Milliseconds of 500, "500" or "10m"; undefined for anything else. Whole ones: timers know no others. */
export function parseDuration(duration: unknown): number | undefined {
  const found =
    typeof duration === "string" && duration !== "" && duration.length <= 100
      ? ms(duration as ms.StringValue)
      : duration;
  return typeof found === "number" && Number.isFinite(found) ? Math.round(found) : undefined;
}
