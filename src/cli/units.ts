// Owns how sizes, rates, counts and times are written for people.

const byteUnits = ["B", "kB", "MB", "GB", "TB", "PB"];

/** "12.3 MB": powers of 1000, as rates are told. */
export function bytes(count: number): string {
  const power = count < 1000 ? 0 : Math.min(byteUnits.length - 1, Math.floor(Math.log10(count) / 3));
  return `${(count / 1000 ** power).toFixed(power === 0 ? 0 : 1)} ${byteUnits[power]}`;
}

/** "123.4 MB/s"; nothing moved or no time passed is 0. */
export function rate(count: number, ms: number): string {
  return `${(ms > 0 ? count / 1e3 / ms : 0).toFixed(1)} MB/s`;
}

/** "1,234,567". */
export function count(number: number): string {
  return number.toLocaleString("en-US");
}

/** "0.31 s", "12.3 s" or "1 h 02 min". */
export function duration(ms: number): string {
  const seconds = ms / 1000;
  if (seconds < 60) return `${seconds.toFixed(seconds < 10 ? 2 : 1)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${String(Math.floor(seconds % 60)).padStart(2, "0")} s`;
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} min`;
}
