//! `audiencedb load`: which files, which columns and types, what becomes of what does not fit, and once only.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use datafusion::prelude::SessionContext;
use libtest_mimic::Trial;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tempfile::TempDir;

use crate::process::{query, run, run_and_kill};
use crate::trial::{Fault, Outcome, ensure, same, trial};

/// All tests of this module.
pub fn trials() -> Vec<Trial> {
    vec![
        trial("load::folders_are_columns", folders_are_columns),
        trial("load::formats_and_compressions", formats_and_compressions),
        trial("load::globs_and_several_paths", globs_and_several_paths),
        trial("load::types_are_found", types_are_found),
        trial("load::files_that_differ", files_that_differ),
        trial("load::layout", layout),
        trial("load::csv_of_other_manners", csv_of_other_manners),
        trial("load::json", json),
        trial("load::errors_name_the_value", errors_name_the_value),
        trial("load::rejects", rejects),
        trial("load::into_an_existing_table", into_an_existing_table),
        trial("load::corrupt_files", corrupt_files),
        trial("load::once_only", once_only),
        trial("load::killed_within_a_folder", killed_within_a_folder),
        trial("load::interrupted", interrupted),
        trial("load::disk_full", disk_full),
    ]
}

/// A folder with files to load, and a warehouse.
struct Desk {
    folder: TempDir,
}

impl Desk {
    fn new() -> Outcome<Self> {
        Ok(Self { folder: TempDir::new()? })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn data(&self) -> PathBuf {
        self.path("warehouse")
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> Outcome {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().ok_or("no folder")?)?;
        Ok(std::fs::write(path, content)?)
    }

    /// Runs `load` in the folder's place: `$` in an argument stands for it.
    fn load(&self, arguments: &str) -> Outcome<Said> {
        let folder = self.folder.path().to_string_lossy();
        let mut words: Vec<String> = vec!["load".to_owned()];
        words.extend(arguments.split_whitespace().map(|word| word.replace('$', &folder)));
        words.extend(["--data".to_owned(), self.data().to_string_lossy().into_owned()]);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        Ok(Said::new(arguments, &run(&words)?))
    }

    fn query(&self, sql: &str) -> Outcome<Vec<String>> {
        query(&self.data(), sql)
    }

    /// Files of table `t`, committed or not.
    fn files(&self) -> Outcome<usize> {
        count(&self.data().join("public/t"))
    }
}

fn count(folder: &Path) -> Outcome<usize> {
    if !folder.exists() {
        return Ok(0);
    }
    let mut files = 0;
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        files += if path.is_dir() { count(&path)? } else { usize::from(path.to_string_lossy().contains(".parquet")) };
    }
    Ok(files)
}

/// What a run said.
struct Said {
    arguments: String,
    status: Option<i32>,
    out: String,
    error: String,
}

impl Said {
    fn new(arguments: &str, output: &Output) -> Self {
        Self {
            arguments: arguments.to_owned(),
            status: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            error: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    fn fine(self) -> Outcome<Self> {
        self.ended(0)
    }

    fn ended(self, status: i32) -> Outcome<Self> {
        let fits = self.status == Some(status);
        ensure(fits, format_args!("{}: ended with {:?}: {}{}", self.arguments, self.status, self.out, self.error))?;
        Ok(self)
    }

    /// It failed, and said all of this.
    fn refused(self, words: &[&str]) -> Outcome<Self> {
        let said = self.ended(1)?;
        for word in words {
            ensure(said.error.contains(word), format_args!("{}: no {word:?} in: {}", said.arguments, said.error))?;
        }
        Ok(said)
    }

    /// The columns it announced, and their types.
    fn columns(self, expected: &str) -> Outcome<Self> {
        let indented = self.out.lines().filter(|line| line.starts_with("  "));
        let columns: Vec<String> = indented.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        same(&self.arguments, columns.join(", ").as_str(), expected)?;
        Ok(self)
    }

    fn says(self, word: &str) -> Outcome<Self> {
        ensure(self.out.contains(word), format_args!("{}: no {word:?} in: {}", self.arguments, self.out))?;
        Ok(self)
    }
}

fn lines(expected: &[&str]) -> Vec<String> {
    expected.iter().map(|line| (*line).to_owned()).collect()
}

async fn folders_are_columns() -> Outcome {
    let desk = Desk::new()?;
    // Two files alike in name and content are two files: their folders tell them apart.
    desk.write("events/day=2024-01-01/store=01/part.csv", "id,kind\n1,view\n2,buy\n")?;
    desk.write("events/day=2024-01-02/store=12/part.csv", "id,kind\n1,view\n2,buy\n")?;
    desk.write("events/day=__HIVE_DEFAULT_PARTITION__/store=03/part.csv", "id,kind\n9,mail\n")?;
    desk.write("events/_SUCCESS", "")?;
    desk.write("events/day=2024-01-01/.part.csv.crc", "crc")?;
    desk.load("$/events --table t")?.fine()?.columns("id bigint, kind text, day date, store bigint")?;
    let rows = "SELECT day, store, id, kind FROM t ORDER BY day, store, id";
    same(
        "rows",
        desk.query(rows)?,
        lines(&[
            "2024-01-01,1,1,view",
            "2024-01-01,1,2,buy",
            "2024-01-02,12,1,view",
            "2024-01-02,12,2,buy",
            ",3,9,mail",
        ]),
    )?;
    // A new day later: only it is loaded, whichever way the files are named.
    desk.write("events/day=2024-01-03/store=01/part.csv", "id,kind\n3,buy\n")?;
    desk.load("$/events/day=2024-01-03/store=01/part.csv --table t")?.fine()?.says("1 rows loaded")?;
    desk.load("$/events --table t")?.fine()?.says("0 rows loaded")?.says("4 files skipped")?;
    same("rows", desk.query("SELECT count(*) FROM t")?, lines(&["6"]))?;
    // As they are, without columns from folders.
    desk.load("$/events/day=2024-01-01 --table plain --no-hive")?.fine()?;
    same("no hive", desk.query("SELECT * FROM plain ORDER BY id")?, lines(&["1,view", "2,buy"]))?;
    desk.write("both/day=2024-01-01/x.csv", "day\n2024-01-02\n")?;
    desk.load("$/both --table u")?.refused(&["column \"day\" is in", "and in the name of its folder", "--no-hive"])?;
    Ok(())
}

async fn formats_and_compressions() -> Outcome {
    let desk = Desk::new()?;
    let context = SessionContext::new();
    let fault = |e: datafusion::error::DataFusionError| Fault::from(e.to_string());
    let rows = "SELECT value AS id, 'é ' || (value % 7) AS note, \
                CASE WHEN value % 5 = 0 THEN NULL ELSE value * 0.5 END AS amount, value % 2 = 0 AS even, \
                CAST('2024-01-01' AS date) + CAST(value % 300 AS integer) AS day FROM generate_series(1, 50000)";
    for (name, format) in [
        ("a.csv", "CSV OPTIONS('format.has_header' 'true')"),
        ("b.csv.gz", "CSV OPTIONS('format.has_header' 'true', 'format.compression' 'gzip')"),
        ("c.csv.zst", "CSV OPTIONS('format.has_header' 'true', 'format.compression' 'zstd')"),
        ("d.ndjson", "JSON"),
        ("e.jsonl.gz", "JSON OPTIONS('format.compression' 'gzip')"),
        ("f.json.zst", "JSON OPTIONS('format.compression' 'zstd')"),
        ("g.parquet", "PARQUET"),
    ] {
        let path = desk.path(name);
        let sql = format!("COPY ({rows}) TO '{}' STORED AS {format}", path.display());
        context.sql(&sql).await.map_err(fault)?.collect().await.map_err(fault)?;
        let table = &name[..1];
        desk.load(&format!("$/{name} --table {table}"))?.fine()?.says("50,000 rows loaded")?;
    }
    let sums = |table: &str| {
        format!(
            "SELECT count(*), sum(id), count(amount), sum(amount), count(*) FILTER (WHERE even), \
             min(day), max(day), min(note), max(note) FROM {table}"
        )
    };
    let expected = desk.query(&sums("g"))?;
    for table in ["a", "b", "c", "d", "e", "f"] {
        same(table, desk.query(&sums(table))?, expected.clone())?;
    }
    // The bytes decide, a name that says otherwise is wrong.
    std::fs::copy(desk.path("b.csv.gz"), desk.path("h.csv"))?;
    desk.load("$/h.csv --table h")?.fine()?.says("50,000 rows loaded")?;
    std::fs::copy(desk.path("a.csv"), desk.path("i.csv.gz"))?;
    desk.load("$/i.csv.gz --table i")?.refused(&["i.csv.gz\" is not a gzip file"])?;
    std::fs::copy(desk.path("a.csv"), desk.path("j.txt"))?;
    desk.load("$/j.txt --table j")?.refused(&["j.txt\" is of no known format", "--format"])?;
    desk.load("$/j.txt --table j --format csv")?.fine()?;
    // Several compressed files one after the other are a compressed file.
    let twice = [std::fs::read(desk.path("b.csv.gz"))?, std::fs::read(desk.path("b.csv.gz"))?].concat();
    desk.write("k.csv.gz", twice)?;
    desk.load("$/k.csv.gz --table k --column id=bigint --on-error skip")?
        .ended(3)?
        .says("100,000 rows loaded")?
        .says("1 rows left out")?;
    Ok(())
}

async fn globs_and_several_paths() -> Outcome {
    let desk = Desk::new()?;
    for name in ["in/a1.csv", "in/a2.csv", "in/b1.csv", "in/deep/er/a3.csv", "in/note.txt"] {
        desk.write(name, format!("name\n{name}\n"))?;
    }
    desk.load("$/in/a*.csv --table t")?.fine()?;
    same("a glob", desk.query("SELECT * FROM t ORDER BY 1")?, lines(&["in/a1.csv", "in/a2.csv"]))?;
    desk.load("$/in/**/*.csv --table u")?.fine()?;
    same("any folder", desk.query("SELECT count(*) FROM u")?, lines(&["4"]))?;
    desk.load("$/in/b1.csv $/in/deep $/in/[ab]1.csv --table v")?.fine()?;
    let expected = lines(&["in/a1.csv", "in/b1.csv", "in/deep/er/a3.csv"]);
    same("several, none twice", desk.query("SELECT * FROM v ORDER BY 1")?, expected)?;
    desk.load("$/in --table w")?.refused(&["note.txt\" is of no known format"])?;
    desk.load("$/in/*.parquet --table w")?.refused(&["*.parquet", "58P01"])?;
    desk.load("$/none --table w")?.refused(&["/none", "58P01"])?;
    // A name that looks like a pattern is a name where there is such a file.
    desk.write("in/[x].csv", "name\nbrackets\n")?;
    desk.load("$/in/[x].csv --table x")?.fine()?;
    same("brackets", desk.query("SELECT * FROM x")?, lines(&["brackets"]))
}

async fn types_are_found() -> Outcome {
    let desk = Desk::new()?;
    desk.write(
        "people.csv",
        "id,postcode,phone,score,big,born,seen,seen_at,active,note,nothing\n\
         1,01234,+33612345678,1.5,9007199254740993,1980-02-29,2024-01-01 10:00:00,2024-01-01T10:00:00+02:00,true,\"\",\n\
         2,75001,0612345678,2,1,1990-01-01,2024-01-01,2024-01-01T10:00:00Z,f,,\n",
    )?;
    let expected = "id bigint, postcode text, phone text, score double precision, big bigint, born date, \
                    seen timestamp without time zone, seen_at timestamp with time zone, active boolean, note text, \
                    nothing text";
    desk.load("$/people.csv --table t")?.fine()?.columns(expected)?;
    same(
        "values",
        desk.query(
            "SELECT postcode, phone, score, big, seen_at, active, note IS NULL, nothing IS NULL FROM t ORDER BY id",
        )?,
        lines(&[
            "01234,+33612345678,1.5,9007199254740993,2024-01-01 08:00:00+00,t,f,t",
            "75001,0612345678,2,1,2024-01-01 10:00:00+00,f,t,t",
        ]),
    )?;
    // Beyond the rows that are looked at: a code among numbers is no number, and nothing is loaded rather than changed.
    let mut text = String::from("code\n");
    for n in 0..1_060_000_u32 {
        text.push_str(&format!("{}\n", 10_000 + n % 80_000));
    }
    text.push_str("01000\n");
    desk.write("codes.csv", text)?;
    let said = desk.load("$/codes.csv --table codes")?;
    said.refused(&["codes.csv, line 1060002, column \"code\"", "\"01000\"", "--column code=text"])?;
    desk.load("$/codes.csv --table codes --column code=text")?.fine()?;
    same("code", desk.query("SELECT min(code) FROM codes")?, lines(&["01000"]))
}

async fn files_that_differ() -> Outcome {
    let desk = Desk::new()?;
    desk.write("csv/a.csv", "id,amount\n1,5\n")?;
    desk.write("csv/b.csv", "amount,id,note\n0.5,2,x\n")?;
    desk.write("csv/c.csv", "id\nx3\n")?;
    desk.write("csv/d.csv", "")?;
    desk.load("$/csv --table t")?.fine()?.columns("id text, amount double precision, note text")?;
    same("rows", desk.query("SELECT * FROM t ORDER BY id")?, lines(&["1,5,", "2,0.5,x", "x3,,"]))?;

    let context = SessionContext::new();
    let fault = |e: datafusion::error::DataFusionError| Fault::from(e.to_string());
    for (name, value) in [("a", "CAST(1 AS integer)"), ("b", "CAST(2 AS bigint)"), ("c", "'three'")] {
        let path = desk.path(&format!("{name}.parquet"));
        let sql = format!("COPY (SELECT {value} AS id) TO '{}' STORED AS PARQUET", path.display());
        context.sql(&sql).await.map_err(fault)?.collect().await.map_err(fault)?;
    }
    desk.load("$/a.parquet $/b.parquet --table u")?.fine()?;
    same("wider", desk.query("SELECT sum(id) FROM u")?, lines(&["3"]))?;
    desk.load("$/a.parquet $/b.parquet $/c.parquet --table w")?.refused(&[
        "column \"id\" is of type bigint",
        "a.parquet",
        "of type text",
        "c.parquet",
        "--column",
    ])?;
    desk.load("$/a.parquet $/b.parquet $/c.parquet --table w --column id=text")?.fine()?;
    same("as text", desk.query("SELECT id FROM w ORDER BY 1")?, lines(&["1", "2", "three"]))?;
    desk.write("twice.csv", "a,b,a\n1,2,3\n")?;
    desk.load("$/twice.csv --table x")?.refused(&["column \"a\"", "more than once"])?;
    desk.load("$/twice.csv --table x --columns a,b,c")?.fine()?;
    same("renamed", desk.query("SELECT a, b, c FROM x")?, lines(&["1,2,3"]))
}

async fn layout() -> Outcome {
    let desk = Desk::new()?;
    desk.write("p.csv", "Id,name,amount\n2,b,1.005\n1,a,2\n")?;
    let said = desk.load("$/p.csv --table t --key id --column amount=numeric(6,2)")?;
    said.fine()?.columns("Id bigint, name text, amount numeric(6,2)")?;
    same("rounded", desk.query("SELECT amount FROM t ORDER BY \"Id\"")?, lines(&["2.00", "1.01"]))?;
    let folders = std::fs::read_dir(desk.data().join("public/t"))?;
    let buckets = folders.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with("_bucket=")).count();
    ensure(buckets > 0, "a keyed table has buckets")?;
    let files = desk.files()?;
    desk.write("q.csv", "Id,name,amount\n3,c,1\n1,again,2\n")?;
    desk.load("$/q.csv --table t")?.refused(&["23505", "t_pkey", "q.csv"])?;
    desk.write("r.csv", "Id,name\n4,d\n,e\n")?;
    desk.load("$/r.csv --table t")?.refused(&["r.csv, line 3, column \"Id\"", "23502"])?;
    same("nothing of a failed file", (desk.query("SELECT count(*) FROM t")?, desk.files()?), (lines(&["2"]), files))?;
    desk.load("$/q.csv --table t --key name")?.refused(&["has the primary key (Id)"])?;
    desk.load("$/q.csv --table t --column name=integer")?
        .refused(&["column \"name\" of table \"t\" is of type text"])?;
    desk.load("$/q.csv --table t --partition-by name")?.refused(&["is not partitioned"])?;

    desk.write("e.csv", "profile_id,ts,kind\np2,2024-01-01 10:00:00Z,x\np1,2024-01-02 10:00:00Z,y\n")?;
    desk.load("$/e.csv --table e --partition-by ts --cluster-by profile_id,ts")?.fine()?;
    ensure(desk.data().join("public/e/_day=2024-01-01").is_dir(), "an event table has days")?;
    desk.load("$/e.csv --table f --partition-by kind")?.refused(&["needs a date or timestamp column"])?;
    desk.load("$/e.csv --table f --key nobody")?
        .refused(&["\"nobody\" named in --key does not exist", "profile_id"])?;
    desk.load("$/e.csv --table f --column nobody=text")?.refused(&["\"nobody\"", "none of the files"])?;
    desk.load("$/e.csv --table f --column kind=blob")?.refused(&["blob"])?;
    Ok(())
}

async fn csv_of_other_manners() -> Outcome {
    let desk = Desk::new()?;
    // Excel in France: a byte order mark, semicolons, CRLF.
    desk.write("excel.csv", "\u{feff}nom;prix\r\nL'Été;\"1;5\"\r\n\r\nMême;\r\n")?;
    desk.load("$/excel.csv --table t")?.fine()?;
    same("excel", desk.query("SELECT nom, prix FROM t ORDER BY nom")?, lines(&["L'Été,1;5", "Même,"]))?;
    desk.write("latin.csv", b"nom\nChlo\xe9\n")?;
    desk.load("$/latin.csv --table latin")?.refused(&["latin.csv, line 2", "0xe9", "--encoding", "22021"])?;
    desk.load("$/latin.csv --table latin --encoding windows-1252")?.fine()?;
    same("latin", desk.query("SELECT nom FROM latin")?, lines(&["Chloé"]))?;
    let wide: Vec<u8> = "\u{feff}a,b\n1,é\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    desk.write("wide.csv", wide)?;
    desk.load("$/wide.csv --table wide")?.fine()?;
    same("UTF-16", desk.query("SELECT b FROM wide")?, lines(&["é"]))?;
    desk.write("bare.tsv", "1\t\\N\t\n2\tx\ty\n")?;
    desk.load("$/bare.tsv --table bare --no-header --null \\N --columns id,a,b")?.fine()?;
    same("bare", desk.query("SELECT id, a IS NULL, b = '' FROM bare ORDER BY id")?, lines(&["1,t,t", "2,f,f"]))?;
    desk.write("pipe.csv", "1^2\n")?;
    desk.load("$/pipe.csv --table pipe --delimiter ^ --no-header")?.fine()?;
    same("pipe", desk.query("SELECT column1, column2 FROM pipe")?, lines(&["1,2"]))?;
    // Quoted numbers, some of them empty.
    desk.write("quoted.csv", "\"id\",\"n\"\n\"1\",\"5\"\n\"2\",\"\"\n")?;
    desk.load("$/quoted.csv --table quoted")?.fine()?;
    same("quoted", desk.query("SELECT id, n + 1 FROM quoted ORDER BY id")?, lines(&["1,6", "2,"]))?;
    desk.load("$/quoted.csv --table x --encoding klingon")?.refused(&["klingon"])?;
    Ok(())
}

async fn json() -> Outcome {
    let desk = Desk::new()?;
    desk.write(
        "e.ndjson",
        "{\"id\":1,\"ts\":\"2024-01-01T00:00:00Z\",\"amount\":1.10,\"tags\":[\"a\",\"b\"],\"note\":\"x\\ny\",\"code\":\"007\"}\n\
         {\"code\":\"8\",\"id\":2,\"ts\":null,\"tags\":[],\"later\":true}\n",
    )?;
    let expected = "id bigint, ts timestamp with time zone, amount double precision, tags text[], note text, code text, \
                    later boolean";
    desk.load("$/e.ndjson --table t")?.fine()?.columns(expected)?;
    same(
        "rows",
        desk.query("SELECT id, ts, amount, tags, note = E'x\\ny', code, later FROM t ORDER BY id")?,
        lines(&["1,2024-01-01 00:00:00+00,1.1,\"{a,b}\",t,007,", "2,,,{},,8,t"]),
    )?;
    // Exact numbers, and nested values of any form, for who asks for them.
    desk.write("n.ndjson", "{\"n\":0.1000000000000000055,\"p\":{\"a\":1}}\n{\"n\":2,\"p\":\"text\"}\n{\"p\":[1]}\n")?;
    desk.load("$/n.ndjson --table n --column n=numeric(38,19) --column p=jsonb")?.fine()?;
    same(
        "exact",
        desk.query("SELECT n, p FROM n ORDER BY n")?,
        lines(&["0.1000000000000000055,\"{\"\"a\"\": 1}\"", "2.0000000000000000000,\"\"\"text\"\"\"", ",[1]"]),
    )?;
    desk.write("bad.ndjson", "{\"id\":1}\n{\"id\":2\n{\"id\":\"x\"}\n[3]\n{\"id\":4}\n")?;
    desk.load("$/bad.ndjson --table b --column id=bigint")?.refused(&["bad.ndjson, line 2", "invalid JSON"])?;
    desk.load("$/bad.ndjson --table b --column id=bigint --on-error skip")?.ended(3)?.says("3 rows left out")?;
    same("skipped", desk.query("SELECT sum(id) FROM b")?, lines(&["5"]))?;
    desk.write("array.json", "[{\"id\":1}]")?;
    desk.load("$/array.json --table a")?.refused(&["array.json, line 1", "must be an object", "jq"])?;
    Ok(())
}

async fn errors_name_the_value() -> Outcome {
    let desk = Desk::new()?;
    desk.write("a.csv", "id,day\n1,2024-01-01\n2,\"2024-\n13-01\"\n3,2024-01-03\n")?;
    let said = desk.load("$/a.csv --table t --column day=date")?;
    said.refused(&["a.csv, line 3, column \"day\"", "2024-\n13-01"])?;
    desk.load("$/a.csv --table t --column id=smallint --column day=text --key day")?.fine()?;
    desk.write("b.csv", "id,day\n40000,x\n")?;
    desk.load("$/b.csv --table t")?.refused(&["b.csv, line 2, column \"id\"", "\"40000\" is out of range", "22003"])?;
    desk.write("c.csv", "id,day\n1\n")?;
    desk.load("$/c.csv --table t")?.refused(&["c.csv, line 2", "missing data for column \"day\"", "22P04"])?;
    desk.write("d.csv", "id,day\n1,a,b\n")?;
    desk.load("$/d.csv --table t")?.refused(&["d.csv, line 2", "extra data after last expected column"])?;
    desk.write("e.csv", "id,day\n1,\"a\n")?;
    desk.load("$/e.csv --table t")?.refused(&["e.csv, line 2", "unterminated CSV quoted field"])?;
    same("rows", desk.query("SELECT count(*) FROM t")?, lines(&["3"]))?;
    // A table that was to be made is not there, and neither are files of it.
    desk.load("$/e.csv --table gone")?.refused(&["e.csv, line 2"])?;
    ensure(count(&desk.data().join("public/gone"))? == 0, "files of a failed load stay")?;
    let tables = "SELECT count(*) FROM information_schema.tables WHERE table_name = 'gone'";
    same("table", desk.query(tables)?, lines(&["0"]))?;
    // Files before the failing one stay, and are not loaded again.
    desk.load("$/a.csv $/b.csv --table u --column id=smallint")?.refused(&["b.csv, line 2"])?;
    desk.write("b.csv", "id,day\n4,x\n")?;
    desk.load("$/a.csv $/b.csv --table u")?.fine()?.says("1 rows loaded")?.says("1 files skipped")?;
    same("rows", desk.query("SELECT sum(id) FROM u")?, lines(&["10"]))
}

async fn rejects() -> Outcome {
    let desk = Desk::new()?;
    desk.write("a.csv", "id,n\n1,10\nx,20\n3,\"3,0\"\n4\n5,50\n")?;
    desk.write("b.csv", "id,n\n6,60\n7,?\n")?;
    let types = "--column id=integer --column n=integer";
    let said = desk.load(&format!("$/a.csv $/b.csv --table t {types} --on-error skip --rejects $/bad.csv"))?;
    said.ended(3)?.says("a.csv (1 of 2): 2 rows, 3 left out")?.says("4 rows left out, see")?;
    same("kept", desk.query("SELECT id, n FROM t ORDER BY id")?, lines(&["1,10", "5,50", "6,60"]))?;
    let told = "file,line,column,value,message,row\n\
                a.csv,3,id,x,\"invalid input syntax for type integer: \"\"x\"\"\",\"x,20\"\n\
                a.csv,4,n,\"3,0\",\"invalid input syntax for type integer: \"\"3,0\"\"\",\"3,\"\"3,0\"\"\"\n\
                a.csv,5,n,,\"missing data for column \"\"n\"\"\",4\n\
                b.csv,3,n,?,\"invalid input syntax for type integer: \"\"?\"\"\",\"7,?\"\n";
    same("told", std::fs::read_to_string(desk.path("bad.csv"))?.as_str(), told)?;
    // The rejects are themselves a file that can be loaded.
    desk.load("$/bad.csv --table bad")?.fine()?.says("4 rows loaded")?;
    // Again: nothing is loaded, and nothing is told twice.
    desk.load(&format!("$/a.csv $/b.csv --table t {types} --on-error skip --rejects $/bad.csv"))?.fine()?;
    same("told", std::fs::read_to_string(desk.path("bad.csv"))?.as_str(), told)?;
    // Too many: the file under way is not loaded, and nothing is told of it.
    let most = "--on-error skip --max-errors 3 --rejects $/most.csv";
    desk.load(&format!("$/a.csv $/b.csv --table m {types} {most}"))?.refused(&[
        "4 rows",
        "--max-errors",
        "b.csv, line 3",
    ])?;
    same("kept", desk.query("SELECT count(*) FROM m")?, lines(&["2"]))?;
    same("told", std::fs::read_to_string(desk.path("most.csv"))?.lines().count(), 4)?;
    ensure(!desk.path("most.csv.partial").exists(), "a file stays beside the rejects")?;
    desk.load("$/a.csv --table x --rejects $/r.csv")?.refused(&["--rejects needs --on-error skip"])?;
    Ok(())
}

async fn into_an_existing_table() -> Outcome {
    let desk = Desk::new()?;
    desk.write("first.csv", "id\n0\n")?;
    // The table is made by SQL, with what only SQL can say.
    let data = desk.data().to_string_lossy().into_owned();
    std::fs::create_dir_all(&data)?;
    let sql = "CREATE TABLE t (id integer NOT NULL, kind text DEFAULT 'new', day date, amount numeric(8,2))";
    same("create", run(&["query", sql, "--data", &data])?.status.code(), Some(0))?;
    desk.write("a.csv", "AMOUNT,id,day\n12.345,1,2024-01-01\n,2,\n")?;
    desk.load("$/a.csv --table t")?.fine()?.says("loading into table public.t")?;
    let rows = "SELECT * FROM t ORDER BY id";
    same("rows", desk.query(rows)?, lines(&["1,new,2024-01-01,12.35", "2,new,,"]))?;
    desk.write("b.csv", "id,colour\n3,red\n")?;
    desk.load("$/b.csv --table t")?.refused(&[
        "column \"colour\" of",
        "b.csv",
        "does not exist in table \"t\"",
        "42703",
    ])?;
    desk.write("c.csv", "kind\nx\n")?;
    desk.load("$/c.csv --table t")?.refused(&["column \"id\"", "must not be null", "c.csv"])?;
    desk.write("d.ndjson", "{\"id\":4,\"amount\":1e2}\n{\"id\":5,\"kind\":\"k\",\"day\":\"2024-02-01\"}\n")?;
    desk.load("$/d.ndjson --table t")?.fine()?;
    let rows = "SELECT * FROM t WHERE id > 3 ORDER BY id";
    same("rows", desk.query(rows)?, lines(&["4,,,100.00", "5,k,2024-02-01,"]))?;
    same("view", run(&["query", "CREATE VIEW v AS SELECT 1 AS id", "--data", &data])?.status.code(), Some(0))?;
    desk.load("$/first.csv --table v")?.refused(&["\"v\" is a view"])?;
    desk.load("$/first.csv --table nowhere.t")?.refused(&["schema \"nowhere\" does not exist"])?;
    Ok(())
}

async fn corrupt_files() -> Outcome {
    let desk = Desk::new()?;
    let mut text = String::from("id,word\n");
    let mut random = StdRng::seed_from_u64(1);
    for id in 0..200_000 {
        text.push_str(&format!("{id},{:x}\n", random.random::<u64>()));
    }
    let context = SessionContext::new();
    let fault = |e: datafusion::error::DataFusionError| Fault::from(e.to_string());
    desk.write("whole.csv", &text)?;
    for (name, format) in [
        ("cut.csv.gz", "CSV OPTIONS('format.has_header' 'true', 'format.compression' 'gzip')"),
        ("cut.csv.zst", "CSV OPTIONS('format.has_header' 'true', 'format.compression' 'zstd')"),
        ("cut.parquet", "PARQUET"),
        ("flip.csv.gz", "CSV OPTIONS('format.has_header' 'true', 'format.compression' 'gzip')"),
        ("flip.parquet", "PARQUET"),
    ] {
        let (whole, path) = (desk.path("whole.csv"), desk.path(name));
        let frame = context.read_csv(whole.to_string_lossy().into_owned(), Default::default()).await.map_err(fault)?;
        context.deregister_table("whole").map_err(fault)?;
        context.register_table("whole", frame.into_view()).map_err(fault)?;
        let sql = format!("COPY whole TO '{}' STORED AS {format}", path.display());
        context.sql(&sql).await.map_err(fault)?.collect().await.map_err(fault)?;
        let mut bytes = std::fs::read(&path)?;
        if name.starts_with("cut") {
            bytes.truncate(bytes.len() / 2);
        } else {
            // Parquet has no checksums, so that only what is said of the columns can be seen to be wrong.
            let at = if name.ends_with(".parquet") { bytes.len() - 100 } else { bytes.len() / 3 };
            bytes[at..at + 40].fill(0xa5);
        }
        std::fs::write(&path, bytes)?;
        let said = desk.load(&format!("$/{name} --table t"))?.refused(&[name])?;
        ensure(!said.error.contains("XX000"), format_args!("{name}: taken for a bug of ours: {}", said.error))?;
        same(&format!("files after {name}"), desk.files()?, 0)?;
    }
    let tables = "SELECT count(*) FROM information_schema.tables WHERE table_name = 't'";
    same("tables", desk.query(tables)?, lines(&["0"]))
}

async fn once_only() -> Outcome {
    let desk = Desk::new()?;
    desk.write("in/a/x.csv", "id\n1\n")?;
    desk.write("in/b/x.csv", "id\n1\n")?;
    desk.load("$/in --table t")?.fine()?.says("2 rows loaded")?;
    desk.load("$/in --table t")?.fine()?.says("0 rows loaded")?.says("2 files skipped")?;
    // Other options are no reason to load rows a second time.
    desk.load("$/in --table t --on-error skip --delimiter ;")?.fine()?.says("2 files skipped")?;
    // A third of them is one more.
    desk.write("in/c/x.csv", "id\n1\n")?;
    desk.load("$/in --table t")?.fine()?.says("1 rows loaded")?.says("2 files skipped")?;
    // A moved file is the same file, a changed one is another, and that is said.
    desk.write("moved/x.csv", "id\n1\n")?;
    desk.load("$/moved/x.csv --table t")?.fine()?.says("loaded before, skipped")?;
    desk.write("moved/x.csv", "id\n1\n2\n")?;
    desk.load("$/moved/x.csv --table t")?.fine()?.says("another file of this name was loaded before")?;
    same("rows", desk.query("SELECT count(*) FROM t")?, lines(&["5"]))?;
    desk.load("$/moved/x.csv --table t --again")?.fine()?.says("2 rows loaded")?;
    same("rows", desk.query("SELECT count(*) FROM t")?, lines(&["7"]))
}

/// Killed at any moment of a folder's load, and run again: every row once.
async fn killed_within_a_folder() -> Outcome {
    let desk = Desk::new()?;
    let (files, rows) = (12_u64, 30_000_u64);
    for file in 0..files {
        let mut text = String::from("id,note\n");
        for row in 0..rows {
            text.push_str(&format!("{},note {}\n", file * rows + row, row % 13));
        }
        desk.write(&format!("in/part={file}/rows.csv"), text)?;
    }
    let (folder, data) = (desk.path("in"), desk.data());
    let (folder, data) = (folder.to_string_lossy(), data.to_string_lossy());
    let arguments = ["load", &folder, "--table", "t", "--key", "id", "--data", &data];
    let mut random = StdRng::seed_from_u64(3);
    let (mut kills, mut within) = (0, 0);
    for _ in 0..8 {
        if !run_and_kill(&arguments, Duration::from_millis(random.random_range(300..1500)))? {
            break;
        }
        kills += 1;
        let found = run(&[
            "query",
            "SELECT count(*), count(DISTINCT id), count(DISTINCT part) FROM t",
            "--data",
            &data,
            "--format",
            "csv",
        ])?;
        if found.status.success() {
            let text = String::from_utf8_lossy(&found.stdout).into_owned();
            let line = text.lines().nth(1).ok_or("no row")?;
            let counts: Vec<u64> = line.split(',').filter_map(|n| n.parse().ok()).collect();
            same("whole files", (counts[0], counts[1]), (counts[2] * rows, counts[2] * rows))?;
            within += usize::from(counts[2] > 0 && counts[2] < files);
        }
    }
    ensure(kills > 0, "nothing was killed")?;
    // The first run may take the rest of the time of a lease; then only what is missing is loaded.
    let said = desk.load("$/in --table t")?.fine()?;
    same(
        "rows",
        desk.query("SELECT count(*), count(DISTINCT id), sum(id) FROM t")?,
        vec![format!("{0},{0},{1}", files * rows, files * rows * (files * rows - 1) / 2)],
    )?;
    ensure(within == 0 || !said.out.contains(", 0 files skipped"), format_args!("began anew: {}", said.out))
}

/// Ctrl-C ends a load in the middle of a file, of which nothing is there then.
async fn interrupted() -> Outcome {
    let desk = Desk::new()?;
    let pipe = desk.path("slow.csv");
    let mut text = String::from("id\n");
    for id in 0..3_000_000 {
        text.push_str(&format!("{id}\n"));
    }
    std::fs::write(&pipe, text)?;
    let data = desk.data();
    let mut command = Command::new(crate::process::binary());
    command.args(["load", &pipe.to_string_lossy(), "--table", "t", "--data", &data.to_string_lossy()]);
    let mut child = command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn()?;
    // The table is announced once the load is on its way.
    let mut first = String::new();
    let out = child.stdout.take().ok_or("no output")?;
    std::io::BufRead::read_line(&mut std::io::BufReader::new(out), &mut first)?;
    ensure(first.contains("creating table"), format_args!("said {first:?}"))?;
    Command::new("kill").args(["-INT", &child.id().to_string()]).status()?;
    let output = child.wait_with_output()?;
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    same(&format!("status: {error}"), output.status.code(), Some(1))?;
    ensure(error.contains("57014"), format_args!("said {error}"))?;
    let tables = "SELECT count(*) FROM information_schema.tables WHERE table_name = 't'";
    same("tables", desk.query(tables)?, lines(&["0"]))
}

/// A full disk is 53100, and what was there stays.
async fn disk_full() -> Outcome {
    let desk = Desk::new()?;
    let disk = desk.path("warehouse");
    std::fs::create_dir_all(&disk)?;
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=4m", "tmpfs"]).arg(&disk).output();
    if !mounted.is_ok_and(|output| output.status.success()) {
        println!("skipped: no small file system can be mounted here, so no disk can be filled");
        return Ok(());
    }
    let outcome = fill(&desk);
    let unmounted = Command::new("umount").arg("-l").arg(&disk).status()?;
    outcome?;
    ensure(unmounted.success(), "the small file system could not be unmounted")
}

fn fill(desk: &Desk) -> Outcome {
    desk.write("small.csv", "id,word\n1,x\n")?;
    desk.load("$/small.csv --table small")?.fine()?;
    let mut random = StdRng::seed_from_u64(2);
    let mut text = String::from("id,word\n");
    for id in 0..600_000 {
        text.push_str(&format!("{id},{:016x}\n", random.random::<u64>()));
    }
    desk.write("large.csv", text)?;
    desk.load("$/large.csv --table t")?.refused(&["53100", "no space left"])?;
    same("files", desk.files()?, 0)?;
    let tables = "SELECT count(*) FROM information_schema.tables WHERE table_name = 't'";
    same("tables", desk.query(tables)?, lines(&["0"]))?;
    // There is room again for what fits.
    desk.write("more.csv", "id,word\n2,y\n")?;
    desk.load("$/more.csv --table small")?.fine()?;
    same("rows", desk.query("SELECT count(*) FROM small")?, lines(&["2"]))
}
