//! House rules that a compiler does not know, read from the sources: who may name what, and how files look.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use libtest_mimic::Trial;

use crate::trial::{Outcome, ensure, trial};

/// The longest file that is still one thing.
const LONGEST: usize = 1000;
/// File names that say nothing about what is inside.
const VAGUE: [&str; 6] = ["utils", "util", "common", "misc", "helpers", "manager"];

/// All tests of this module.
pub fn trials() -> Vec<Trial> {
    vec![
        trial("tidy::every_file_says_what_it_is", || async { every_file_says_what_it_is() }),
        trial("tidy::files_are_short_and_named", || async { files_are_short_and_named() }),
        trial("tidy::nothing_is_left_to_do", || async { nothing_is_left_to_do() }),
        trial("tidy::directions", || async { directions() }),
        trial("tidy::dependencies", || async { dependencies() }),
        trial("tidy::functions_and_their_tests", || async { functions_and_their_tests() }),
        trial("tidy::slt_files_say_what_they_are", || async { slt_files_say_what_they_are() }),
    ]
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map_or_else(PathBuf::new, Path::to_path_buf)
}

/// A source file: its path from the root, and its text.
struct Source {
    path: String,
    text: String,
}

impl Source {
    fn is_in(&self, folder: &str) -> bool {
        self.path.starts_with(folder)
    }

    /// Lines of code with their number: no comments, so that words in prose are free.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().enumerate().map(|(i, line)| (i + 1, line.split("//").next().unwrap_or("")));
        lines.filter(|(_, line)| !line.trim().is_empty())
    }

    fn stem(&self) -> &str {
        Path::new(&self.path).file_stem().and_then(|stem| stem.to_str()).unwrap_or("")
    }
}

fn sources(folders: &[&str], extension: &str) -> Outcome<Vec<Source>> {
    let mut found = Vec::new();
    for folder in folders {
        let mut waiting = vec![root().join(folder)];
        while let Some(path) = waiting.pop() {
            if path.is_dir() {
                for entry in std::fs::read_dir(&path)? {
                    waiting.push(entry?.path());
                }
            } else if path.extension().is_some_and(|e| e == extension) {
                let text = std::fs::read_to_string(&path)?;
                let path = path.strip_prefix(root()).unwrap_or(&path).to_string_lossy().replace('\\', "/");
                found.push(Source { path, text });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    ensure(!found.is_empty(), format_args!("no .{extension} files under {folders:?}"))?;
    Ok(found)
}

fn rust() -> Outcome<Vec<Source>> {
    sources(&["src", "udfs/src", "catalog/src", "tests/it"], "rs")
}

fn none(what: &str, wrong: Vec<String>) -> Outcome {
    ensure(wrong.is_empty(), format_args!("{what}:\n  {}", wrong.join("\n  ")))
}

fn every_file_says_what_it_is() -> Outcome {
    let wrong = rust()?.into_iter().filter(|s| !s.text.starts_with("//! ")).map(|s| s.path);
    none("files without a first line that says what they are", wrong.collect())
}

fn files_are_short_and_named() -> Outcome {
    let mut wrong = Vec::new();
    for source in rust()? {
        let lines = source.text.lines().count();
        if lines > LONGEST {
            wrong.push(format!("{}: {lines} lines", source.path));
        }
        if VAGUE.contains(&source.stem()) || source.path.split('/').any(|part| VAGUE.contains(&part)) {
            wrong.push(format!("{}: a name that says nothing", source.path));
        }
        if source.stem() != "mod" && source.text.lines().count() < 3 {
            wrong.push(format!("{}: an empty module", source.path));
        }
    }
    none("files too long, empty or badly named", wrong)
}

fn nothing_is_left_to_do() -> Outcome {
    let mut wrong = Vec::new();
    for source in rust()?.iter().filter(|s| !s.path.ends_with("tests/it/tidy.rs")) {
        for (number, line) in source.text.lines().enumerate() {
            for word in ["TODO", "FIXME", "XXX:", "todo!(", "unimplemented!(", "dbg!("] {
                if line.contains(word) {
                    wrong.push(format!("{}:{}: {word}", source.path, number + 1));
                }
            }
        }
    }
    none("unfinished promises", wrong)
}

/// A rule: code outside of `home` must not contain any of `words`.
struct Rule {
    words: &'static [&'static str],
    home: &'static [&'static str],
    why: &'static str,
}

const RULES: &[Rule] = &[
    Rule { words: &["pgwire::"], home: &["src/server/"], why: "only src/server knows the wire protocol" },
    Rule {
        words: &["deltalake_core::", "object_store::"],
        home: &["catalog/"],
        why: "only catalog/ knows how tables lie in storage",
    },
    Rule {
        words: &["SessionStateBuilder", "SessionContext::new()", "SessionContext::new_with_config"],
        home: &["src/engine"],
        why: "only src/engine builds a SessionState",
    },
    Rule { words: &["audiencedb::"], home: &["src/main.rs", "src/cli/"], why: "the engine does not know its binary" },
    Rule {
        words: &["std::env::var", "std::env::args", "std::env::set_var"],
        home: &["src/main.rs", "src/cli/"],
        why: "only the command line reads the environment",
    },
];

fn directions() -> Outcome {
    let mut wrong = Vec::new();
    for source in sources(&["src", "udfs/src", "catalog/src"], "rs")? {
        // What stands in a file's tests is not the product.
        let product =
            source.text.find("#[cfg(test)]\nmod tests").map_or(usize::MAX, |at| source.text[..at].lines().count());
        for (number, line) in source.code().filter(|(number, _)| *number <= product) {
            for rule in RULES.iter().filter(|rule| !rule.home.iter().any(|home| source.is_in(home))) {
                // DataFusion re-exports object_store under its own name; who takes it there knows storage as well.
                for word in rule.words.iter().filter(|word| names(line, word)) {
                    wrong.push(format!("{}:{number}: {word} ({})", source.path, rule.why));
                }
            }
            let other = [("udfs/", "catalog::"), ("catalog/", "udfs::")];
            for (_, word) in other.iter().filter(|(home, word)| source.is_in(home) && names(line, word)) {
                wrong.push(format!("{}:{number}: {word} (udfs and catalog do not know each other)", source.path));
            }
        }
    }
    none("names used outside of their home", wrong)
}

/// Whether a line of code names this crate or type, and not a longer name or a path through another crate.
fn names(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':')
    })
}

/// Which packages each crate may take.
fn dependencies() -> Outcome {
    let mut wrong = Vec::new();
    for (manifest, forbidden) in [
        (
            "udfs/Cargo.toml",
            &["datafusion", "tokio", "object_store", "deltalake-core", "pgwire", "audiencedb-catalog"][..],
        ),
        ("catalog/Cargo.toml", &["pgwire", "audiencedb-udfs", "clap"][..]),
        ("Cargo.toml", &["deltalake-core", "object_store", "sqllogictest", "libtest-mimic", "tokio-postgres"][..]),
    ] {
        let text = std::fs::read_to_string(root().join(manifest))?;
        let section = text.split("\n[dependencies]\n").nth(1).unwrap_or("").split("\n[").next().unwrap_or("");
        let taken = section.lines().filter_map(|line| line.split(['.', ' ', '=']).next());
        let taken: BTreeSet<&str> = taken.filter(|name| !name.is_empty()).collect();
        ensure(!taken.is_empty(), format_args!("{manifest} has no dependencies"))?;
        wrong.extend(forbidden.iter().filter(|name| taken.contains(**name)).map(|name| format!("{manifest}: {name}")));
    }
    none("dependencies against the architecture", wrong)
}

/// `udfs/src/<package>/<function>.rs` and `tests/slt/functions/<package>/<function>.slt` come in pairs.
fn functions_and_their_tests() -> Outcome {
    let implements =
        ["impl ScalarUDFImpl for ", "impl AggregateUDFImpl for ", "impl WindowUDFImpl for ", "\ntext_function!("];
    let functions: BTreeSet<String> = sources(&["udfs/src"], "rs")?
        .iter()
        .filter(|s| implements.iter().any(|i| s.text.contains(i)))
        .map(|s| s.path.trim_start_matches("udfs/src/").trim_end_matches(".rs").to_owned())
        .collect();
    let tests: BTreeSet<String> = sources(&["tests/slt/functions"], "slt")?
        .iter()
        .filter(|s| !s.stem().starts_with('_'))
        .map(|s| s.path.trim_start_matches("tests/slt/functions/").trim_end_matches(".slt").to_owned())
        .collect();
    let mut wrong: Vec<String> = functions.difference(&tests).map(|f| format!("udfs/src/{f}.rs has no .slt")).collect();
    wrong.extend(tests.difference(&functions).map(|t| format!("tests/slt/functions/{t}.slt has no function")));
    none("functions and their tests", wrong)
}

/// The first line of a test file is a sentence, and no file ends in the middle of a query.
fn slt_files_say_what_they_are() -> Outcome {
    let mut wrong = Vec::new();
    for source in sources(&["tests/slt"], "slt")? {
        if !source.text.starts_with("# ") {
            wrong.push(format!("{}: no first line that says what it is", source.path));
        }
        if source.text.lines().any(|line| line.starts_with("halt")) {
            wrong.push(format!("{}: halts before its end", source.path));
        }
    }
    none("test files", wrong)
}
