//! The walls between crates and the rules for files, held against manifests and sources.
//!
//! Every rule is a function from text to a complaint. One test runs it over the project, and the same
//! test shows it a text that breaks it: a rule that can't complain protects nothing.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Which of our crates a crate may use. Whatever is not here is a wall.
const EDGES: &[(&str, &[&str])] = &[
    ("core", &[]),
    ("text", &["core"]),
    ("model", &["core"]),
    ("index", &["core"]),
    ("engine", &["core", "text", "index"]),
    (BINARY, &["core", "text", "model", "engine"]),
];

/// The root package has no folder in `crates/`.
const BINARY: &str = "rag";

/// Heavy or dangerous dependencies and the crates that keep them to themselves. A star stands for any end.
const KEPT: &[(&str, &[&str])] = &[
    ("candle*", &["model"]),
    ("tokenizers", &["model"]),
    ("ureq", &["model"]),
    ("hf-hub", &["model"]),
    ("lance*", &["index"]),
    ("arrow*", &["index"]),
    ("tokio", &["index"]),
    ("pdf*", &["text"]),
    ("scraper", &["text"]),
    ("text-splitter", &["text"]),
    ("notify", &["engine"]),
    ("landlock", &["engine"]),
    ("seccompiler", &["engine"]),
    ("clap*", &[BINARY]),
    ("indicatif", &[BINARY]),
];

/// What opens a connection, and the files outside tests that may name it: the one that fetches models,
/// and the one in which a worker tries in vain.
const SOCKETS: &[&str] = &[
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "UnixStream",
    "UnixListener",
    "ureq",
    "reqwest",
    "hyper",
];
const SOCKET_FILES: &[&str] = &[
    "crates/model/src/fetch/hub.rs",
    "crates/engine/src/sandbox/probe.rs",
];

/// Names that say nothing about what is inside.
const EMPTY_NAMES: &[&str] = &[
    "utils", "util", "common", "helpers", "types", "manager", "service",
];

/// What tests may import by a star: what they test, and macros that are made for it.
const STARS_OF_TESTS: &[&str] = &["use super::*;", "use proptest::prelude::*;"];

const LONGEST_FILE: usize = 500;

// -- manifests --------------------------------------------------------------------------------------

#[test]
fn our_crates_use_each_other_only_as_the_architecture_says() {
    for (name, manifest) in manifests() {
        assert_eq!(edge_complaints(&name, &dependencies(&manifest)), NONE);
    }
    let reaching = "[target.'cfg(unix)'.dev-dependencies]\nrag-model.workspace = true";
    assert_eq!(edge_complaints("text", &dependencies(reaching)).len(), 1);
    let renamed = "[dependencies]\nwords = { package = \"rag-engine\", path = \"../engine\" }";
    assert_eq!(edge_complaints("core", &dependencies(renamed)).len(), 1);
    assert_eq!(edge_complaints("surprise", &BTreeSet::new()).len(), 1);
}

#[test]
fn heavy_dependencies_stay_behind_their_wall() {
    for (name, manifest) in manifests() {
        assert_eq!(wall_complaints(&name, &dependencies(&manifest)), NONE);
    }
    let leaking = "[build-dependencies]\ncandle-core = \"0.11\"\n[dependencies]\nclap = \"4\"";
    assert_eq!(wall_complaints("engine", &dependencies(leaking)).len(), 2);
}

#[test]
fn the_table_of_crates_lists_the_crates_on_disk() {
    let page = fs::read_to_string(project().join("crates/README.md")).unwrap();
    let on_disk: BTreeSet<String> = manifests()
        .into_iter()
        .map(|(name, _)| name)
        .filter(|name| name != BINARY)
        .collect();
    assert_eq!(first_table(&page), on_disk);
    let stale =
        "| crate | charter |\n|---|---|\n| `core` | words |\n| `src/` | argv |\n\n| `x` | y |";
    assert_eq!(first_table(stale), BTreeSet::from(["core".to_owned()]));
}

const NONE: Vec<String> = Vec::new();

fn edge_complaints(name: &str, dependencies: &BTreeSet<String>) -> Vec<String> {
    let Some((_, allowed)) = EDGES.iter().find(|(from, _)| *from == name) else {
        return vec![format!("`{name}` has no row in the table of allowed edges")];
    };
    dependencies
        .iter()
        .filter_map(|dependency| dependency.strip_prefix("rag-"))
        .filter(|used| !allowed.contains(used))
        .map(|used| format!("`{name}` may not use `{used}`"))
        .collect()
}

fn wall_complaints(name: &str, dependencies: &BTreeSet<String>) -> Vec<String> {
    let kept_from = |dependency: &str| {
        KEPT.iter().find(|(pattern, owners)| {
            let matches = match pattern.strip_suffix('*') {
                Some(start) => dependency.starts_with(start),
                None => dependency == *pattern,
            };
            matches && !owners.contains(&name)
        })
    };
    dependencies
        .iter()
        .filter_map(|dependency| kept_from(dependency).map(|(_, owners)| (dependency, owners)))
        .map(|(dependency, owners)| format!("`{name}` uses `{dependency}`, kept by {owners:?}"))
        .collect()
}

/// The packages a manifest depends on in any way, under their own names.
fn dependencies(manifest: &str) -> BTreeSet<String> {
    let manifest: toml::Table = manifest.parse().unwrap();
    let targets = manifest.get("target").and_then(toml::Value::as_table);
    let tables = std::iter::once(&manifest).chain(
        targets
            .into_iter()
            .flat_map(|t| t.values().filter_map(toml::Value::as_table)),
    );
    tables
        .flat_map(|table| {
            ["dependencies", "dev-dependencies", "build-dependencies"]
                .into_iter()
                .filter_map(move |kind| table.get(kind)?.as_table())
        })
        .flatten()
        .map(|(key, value)| {
            let renamed = value.get("package").and_then(toml::Value::as_str);
            renamed.unwrap_or(key).to_owned()
        })
        .collect()
}

/// The names in backticks in the first column of a page's first table.
fn first_table(page: &str) -> BTreeSet<String> {
    page.lines()
        .skip_while(|line| !line.starts_with('|'))
        .take_while(|line| line.starts_with('|'))
        .filter_map(|line| {
            line.split('|')
                .nth(1)?
                .trim()
                .strip_prefix('`')?
                .strip_suffix('`')
        })
        .filter(|name| name.bytes().all(|b| b.is_ascii_lowercase()))
        .map(str::to_owned)
        .collect()
}

/// Every crate of the workspace with its manifest's text.
fn manifests() -> Vec<(String, String)> {
    let read = |path: PathBuf| fs::read_to_string(path).unwrap();
    let mut manifests = vec![(BINARY.to_owned(), read(project().join("Cargo.toml")))];
    for folder in entries(&project().join("crates")) {
        if folder.is_dir() {
            let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
            manifests.push((name, read(folder.join("Cargo.toml"))));
        }
    }
    manifests
}

// -- sources ----------------------------------------------------------------------------------------

#[test]
fn every_file_opens_with_its_charter() {
    holds(charter);
    assert!(charter("src/x.rs", "use std::fs;\n//! Too late.").is_some());
}

#[test]
fn no_file_grows_beyond_five_hundred_lines_before_its_tests() {
    holds(length);
    assert!(length("src/x.rs", &"fn f() {}\n".repeat(LONGEST_FILE + 1)).is_some());
    let long = "\n".repeat(LONGEST_FILE);
    let tests = format!("fn f() {{}}\n#[cfg(test)]\nmod tests {{\n{long}}}");
    assert_eq!(length("src/x.rs", &tests), None);
    let item = format!("    #[cfg(test)]\n    fn f() {{}}\n{long}");
    assert!(length("src/x.rs", &item).is_some());
}

#[test]
fn sockets_are_opened_in_one_file_and_tried_in_another() {
    holds(sockets);
    let code = "//! Charter.\nuse std::net::{IpAddr, TcpStream};\n";
    assert!(sockets("crates/engine/src/ask.rs", code).is_some());
    assert!(sockets("src/main.rs", "let body = ureq::get(url);").is_some());
    assert!(
        SOCKET_FILES
            .iter()
            .all(|file| sockets(file, code).is_none())
    );
    assert_eq!(
        sockets("src/main.rs", "// unlike TcpStream, this is a comment"),
        None
    );
}

#[test]
fn no_module_has_a_name_that_says_nothing() {
    holds(name);
    assert!(name("crates/text/src/utils.rs", "").is_some());
    assert!(name("crates/text/src/helpers/pdf.rs", "").is_some());
    assert!(name("src/main.rs", "    pub(crate) mod common {").is_some());
    assert_eq!(name("src/main.rs", "mod serviceable;"), None);
}

#[test]
fn nothing_is_imported_by_a_star() {
    holds(stars);
    assert!(stars("src/a.rs", "use std::collections::*;").is_some());
    assert!(stars("src/a.rs", "pub use crate::{\n    ask,\n    cite::*,\n};").is_some());
    assert!(
        stars("src/a.rs", "use super::*;").is_some(),
        "outside tests"
    );
    assert_eq!(
        stars(
            "src/a.rs",
            "#[cfg(test)]\nmod tests {\n    use super::*;\n}"
        ),
        None
    );
    assert_eq!(stars("src/a.rs", "let user = a * b;"), None);
}

#[test]
fn no_test_is_switched_off() {
    holds(ignored);
    assert!(ignored("src/a.rs", "    #[ignore = \"slow\"]\n    fn f() {}").is_some());
}

fn charter(_: &str, text: &str) -> Option<String> {
    (!text.starts_with("//!")).then(|| "does not open with `//!`".to_owned())
}

fn length(_: &str, text: &str) -> Option<String> {
    let lines = before_tests(text).count();
    (lines > LONGEST_FILE).then(|| format!("has {lines} lines before its tests"))
}

fn sockets(path: &str, text: &str) -> Option<String> {
    if SOCKET_FILES.contains(&path) || is_test(path) {
        return None;
    }
    let mut words = before_tests(text)
        .map(without_comment)
        .flat_map(|line| line.split(|c: char| !c.is_alphanumeric() && c != '_'));
    let found = words.find(|word| SOCKETS.contains(word))?;
    Some(format!(
        "names `{found}`, which belongs in {SOCKET_FILES:?}"
    ))
}

fn name(path: &str, text: &str) -> Option<String> {
    let parts = path.split('/').map(|part| part.trim_end_matches(".rs"));
    let declared = text.lines().filter_map(|line| {
        let mut words = line
            .split_whitespace()
            .skip_while(|word| word.starts_with("pub"));
        let is_module = words.next() == Some("mod");
        let name = words.next().filter(|_| is_module)?;
        Some(name.trim_end_matches([';', '{']))
    });
    let found = parts
        .chain(declared)
        .find(|part| EMPTY_NAMES.contains(part))?;
    Some(format!("has a module named `{found}`"))
}

fn stars(path: &str, text: &str) -> Option<String> {
    let tests_from = if is_test(path) {
        0
    } else {
        before_tests(text).count()
    };
    let mut statement = String::new();
    for (at, line) in text.lines().map(without_comment).enumerate() {
        let line = line.trim();
        let opens = line.starts_with("use ") || (line.starts_with("pub") && line.contains(" use "));
        if statement.is_empty() && !opens {
            continue;
        }
        statement.push_str(line);
        if !line.ends_with(';') {
            continue;
        }
        let of_tests = STARS_OF_TESTS.contains(&statement.as_str()) && at >= tests_from;
        if statement.contains('*') && !of_tests {
            return Some(format!("imports by a star: `{statement}`"));
        }
        statement.clear();
    }
    None
}

fn ignored(_: &str, text: &str) -> Option<String> {
    let found = text
        .lines()
        .find(|line| line.trim_start().starts_with("#[ignore"))?;
    Some(format!("switches a test off: `{}`", found.trim()))
}

/// Runs a rule over every Rust file of the project and fails with all complaints.
fn holds(rule: fn(&str, &str) -> Option<String>) {
    let files = rust_files();
    assert!(files.len() > 20, "only {} files were found", files.len());
    let complaints: Vec<String> = files
        .iter()
        .filter_map(|(path, text)| rule(path, text).map(|complaint| format!("{path} {complaint}")))
        .collect();
    assert_eq!(complaints, NONE);
}

/// Every Rust file of the project: path from its root, separated by `/`, and text.
fn rust_files() -> Vec<(String, String)> {
    let mut files = Vec::new();
    let mut folders: Vec<PathBuf> = ["src", "tests", "benches", "crates"]
        .map(|name| project().join(name))
        .into();
    while let Some(folder) = folders.pop() {
        for path in entries(&folder) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let parts = path.strip_prefix(project()).unwrap().iter();
                let shown: Vec<&str> = parts.map(|part| part.to_str().unwrap()).collect();
                files.push((shown.join("/"), fs::read_to_string(&path).unwrap()));
            }
        }
    }
    files
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

fn is_test(path: &str) -> bool {
    path.starts_with("tests/") || path.ends_with("tests.rs") || path.contains("/tests/")
}

fn is_for_tests(attribute: &str) -> bool {
    attribute.starts_with("#[cfg(") && attribute.contains("test")
}

/// The lines before the test module. An attribute on a single item does not end them.
fn before_tests(text: &str) -> impl Iterator<Item = &str> {
    let lines: Vec<&str> = text.lines().collect();
    let opens =
        |pair: &[&str]| is_for_tests(pair[0]) && pair[1].contains("mod ") && pair[1].ends_with('{');
    let end = lines.windows(2).position(opens).unwrap_or(lines.len());
    lines.into_iter().take(end)
}

fn without_comment(line: &str) -> &str {
    line.split("//").next().unwrap_or_default()
}

fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
