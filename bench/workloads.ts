// Owns what is measured: each workload with its contenders, ours first, the rivals as far as the machine has them. Every
// contender is one shell command over $INPUT that writes its result files into the directory $OUTPUT.

import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

export interface Contender {
  readonly name: string;
  readonly command: string;
}

export interface Workload {
  readonly name: string;
  /** Which input: the corpus, or a single line. */
  readonly input: "corpus" | "line";
  /** How the lines of all outputs are brought into one form before they are compared. */
  readonly normalise: string;
  readonly contenders: readonly Contender[];
}

const local = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const quote = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

/** Matches a few of a thousand lines of the made corpus, or of C source. */
const pattern = "ki[a-z]*su|return -E[A-Z]+;";

function ours(job: string, slots: number, extra = ""): string {
  const node = quote(process.execPath);
  const launcher = quote(local("../bin/mapreduce.js"));
  return `${node} ${launcher} run ${quote(local(`jobs/${job}.ts`))} --input "$INPUT" --output "$OUTPUT" --slots ${slots} --progress none ${extra}`;
}

const countPipeline = `mkdir -p "$OUTPUT"; tr -s ' \\t\\v\\f\\r' '\\n' < "$INPUT" | grep . | sort | uniq -c | sed -E 's/^ *([0-9]+) (.*)$/\\2\\t\\1/' > "$OUTPUT/part"`;

const countAwk = (awk: string): string =>
  `mkdir -p "$OUTPUT"; ${awk} '{ for (i = 1; i <= NF; i++) n[$i]++ } END { for (w in n) print w "\\t" n[w] }' "$INPUT" | sort > "$OUTPUT/part"`;

const grepRival = `mkdir -p "$OUTPUT"; grep -E ${quote(pattern)} "$INPUT" | sort > "$OUTPUT/part"`;

function duckdb(python: string, slots: number, query: string): string {
  const lines =
    "read_csv('$INPUT', delim='\\x01', quote='', escape='', header=false, auto_detect=false, columns={'line': 'VARCHAR'}, max_line_size=16000000)";
  const script = `import duckdb, os
os.makedirs(os.environ["OUTPUT"], exist_ok=True)
db = duckdb.connect(":memory:")
db.execute("set threads=${slots}")
db.execute("set preserve_insertion_order=false")
query = r"""copy (${query.replace("$LINES", lines)}) to '$OUTPUT/part' (format csv, header false, delimiter '\t', quote '', escape '')"""
db.execute(query.replace("$INPUT", os.environ["INPUT"]).replace("$OUTPUT", os.environ["OUTPUT"]))`;
  return `${quote(python)} -c ${quote(script)}`;
}

const duckdbCount =
  "select w, count(*) n from (select unnest(string_split(translate(line, chr(9)||chr(11)||chr(12)||chr(13), '    '), ' ')) w from $LINES) where w <> '' group by w order by w";
const duckdbGrep = `select line from $LINES where regexp_matches(line, '${pattern}') order by line`;

function has(command: string, ...args: string[]): boolean {
  return spawnSync(command, args, { stdio: "ignore" }).status === 0;
}

/**
 * All workloads with what this machine can run of them.
 * @param python an interpreter; DuckDB takes part where it can be imported there
 */
export function findWorkloads(options: { readonly slots: number; readonly python: string }): Workload[] {
  const { slots, python } = options;
  const withDuckdb = has(python, "-c", "import duckdb");
  const when = (condition: boolean, name: string, command: string): Contender[] =>
    condition ? [{ name, command }] : [];
  const mawk = has("mawk", "BEGIN { exit 0 }");
  const duckdbCounts = when(withDuckdb, "DuckDB", duckdb(python, slots, duckdbCount));
  return [
    {
      name: "word count",
      input: "corpus",
      normalise: "sort",
      contenders: [
        { name: "mapreduce, strings", command: ours("word-count", slots) },
        { name: "mapreduce, bytes", command: ours("word-count-bytes", slots) },
        ...duckdbCounts,
        ...when(mawk, "mawk | sort", countAwk("mawk")),
        { name: "tr | sort | uniq -c", command: countPipeline },
      ],
    },
    {
      name: "grep, regular expression",
      input: "corpus",
      normalise: "sort",
      contenders: [
        { name: "mapreduce", command: ours("grep", slots, `--param pattern=${quote(pattern)}`) },
        ...when(withDuckdb, "DuckDB", duckdb(python, slots, duckdbGrep)),
        { name: "grep -E | sort", command: grepRival },
      ],
    },
    {
      name: "one line, from the shell to the result",
      input: "line",
      normalise: "sort",
      contenders: [
        { name: "mapreduce", command: ours("word-count", slots) },
        ...duckdbCounts,
        { name: "tr | sort | uniq -c", command: countPipeline },
      ],
    },
  ];
}
