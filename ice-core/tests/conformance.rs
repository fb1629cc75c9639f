//! `docs/conformance.md` and the sources agree: every requirement on the lists in `docs/conformance/` has one row in the table,
//! every row has its requirement, and what a row names exists.
//!
//! With `FLOE_RFC_DIR` set to a folder with `rfc8445.txt` and the others, the lists are made anew and compared.
#![allow(
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test may end with a panic"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

#[path = "../examples/requirements/extract.rs"]
mod extract;

/// What a row may say of its requirement.
const STATES: [&str; 5] = ["done", "application", "not applicable", "deviation", "not built"];

#[test]
fn every_requirement_has_its_row_and_every_row_is_true() {
    let table = read(&root().join("docs/conformance.md"));
    let lists: Vec<(String, String)> = lists().into_iter().map(|(rfc, path)| (rfc, read(&path))).collect();
    let complaints = check(&table, &lists, &|path| fs::read_to_string(resolve(path)).ok());
    assert!(complaints.is_empty(), "docs/conformance.md:\n{}", complaints.join("\n"));
}

#[test]
fn the_lists_are_what_the_rfcs_say() {
    let Some(folder) = std::env::var_os("FLOE_RFC_DIR") else { return };
    for (rfc, path) in lists() {
        let list = read(&path);
        let sections = list.lines().next().and_then(|l| l.strip_prefix("# sections ")).unwrap_or_default();
        let sections: Vec<&str> = sections.split(' ').collect();
        let text = read(&Path::new(&folder).join(format!("rfc{rfc}.txt")));
        let found = extract::requirements(&text, &sections);
        let found: Vec<String> = found.iter().map(|r| format!("{} {r}", r.id())).collect();
        let listed: Vec<String> = list.lines().skip(1).map(|l| format!("{} {l}", words(l)[0])).collect();
        assert_eq!(found, listed, "RFC {rfc}: run the example `requirements` again");
        assert!(extract::requirements(&text, &sections).iter().all(|r| !list.contains(&r.sentence)));
    }
}

/// What is wrong with `table`, measured by `lists` of RFC numbers and requirements; `source` reads a file that a row names.
fn check(table: &str, lists: &[(String, String)], source: &dyn Fn(&str) -> Option<String>) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut hashes: BTreeMap<String, &str> = BTreeMap::new();
    for (rfc, list) in lists {
        for line in list.lines().filter(|l| !l.starts_with('#')) {
            let words = words(line);
            hashes.insert(format!("RFC {rfc}, {}", words[0]), words[1]);
        }
    }
    let mut rfc = "";
    for line in table.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            rfc = heading.split(':').next().unwrap_or_default();
        }
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, key, what, state, code, tests, reason, _] = *cells else {
            if line.starts_with('|') {
                complaints.push(format!("{rfc}: not six cells: {line}"));
            }
            continue;
        };
        let Some((id, hash)) = key.split_once(' ').filter(|(id, _)| id.contains('#')) else { continue };
        let name = format!("{rfc}, {id}");
        let mut complain = |what: &str| complaints.push(format!("{name}: {what}"));
        match hashes.remove(&name) {
            None => complain("no such requirement, or a second row for it"),
            Some(listed) if listed != hash => complain(&format!("the hash is {listed}, not {hash}")),
            Some(_) => {}
        }
        if what.is_empty() || !STATES.contains(&state) {
            complain(&format!("`{state}` is none of {STATES:?}, or it does not say what is asked"));
        }
        if state == "done" && (code.is_empty() || tests.is_empty()) {
            complain("done, and no code or no test is named");
        }
        if state != "done" && reason.is_empty() {
            complain("not done, and no reason");
        }
        for (cell, is_there) in [(code, has_item as fn(&str, &str) -> bool), (tests, has_test)] {
            for reference in cell.split(", ").filter(|r| !r.is_empty()) {
                let place = reference.strip_prefix('`').and_then(|r| r.strip_suffix('`'));
                let Some((path, item)) = place.and_then(|r| r.split_once("::")) else {
                    complain(&format!("{reference} is not `path::item`"));
                    continue;
                };
                match source(path) {
                    None => complain(&format!("there is no file {path}")),
                    Some(text) if !is_there(&text, item) => complain(&format!("{path} has no {item}")),
                    Some(_) => {}
                }
            }
        }
    }
    complaints.extend(hashes.into_keys().map(|name| format!("{name}: no row")));
    complaints
}

/// Whether the name occurs as a whole word.
fn has_item(text: &str, item: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(item).any(|(place, _)| {
        !text[..place].ends_with(is_part) && !text[place + item.len()..].starts_with(is_part)
    })
}

/// Whether there is a function of this name with `#[test]` among the attributes and comments above it.
fn has_test(text: &str, name: &str) -> bool {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let is_named = |line: &str| line.contains("fn ") && has_item(line, name);
    lines.iter().enumerate().filter(|(_, line)| is_named(line)).any(|(place, _)| {
        let above = lines[..place].iter().rev();
        above.take_while(|l| l.starts_with("#[") || l.starts_with("//")).any(|l| l.contains("test]"))
    })
}

fn words(line: &str) -> Vec<&str> {
    line.split(' ').collect()
}

/// The committed lists, by the number of their RFC.
fn lists() -> Vec<(String, PathBuf)> {
    let folder = root().join("docs/conformance");
    let entries = fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut lists: Vec<(String, PathBuf)> = entries
        .map(|entry| entry.unwrap().path())
        .filter_map(|path| {
            let stem = path.file_stem()?.to_str()?;
            Some((stem.strip_prefix("rfc")?.to_owned(), path))
        })
        .collect();
    lists.sort();
    lists
}

/// Paths in the table start at the engine's `src` folder, or at the root of the repository.
fn resolve(path: &str) -> PathBuf {
    let inside = root().join("ice-core/src").join(path);
    if inside.exists() { inside } else { root().join(path) }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

#[test]
fn the_checker_finds_what_it_should() {
    let lists = [("1".to_owned(), "# sections 1-2\n1#1 aaaaaaaa MUST\n1#2 bbbbbbbb SHOULD\n".to_owned())];
    let source = |path: &str| {
        (path == "a.rs").then(|| "#[test]\n/// A story.\nfn purrs() {}\nfn helper() {}\n".to_owned())
    };
    let with = |rows: &str| {
        let head =
            "## RFC 1: Cats\n\n| requirement | what | state | code | tests | reason |\n|-|-|-|-|-|-|\n";
        check(&format!("{head}{rows}\n"), &lists, &source)
    };
    let first = "| 1#1 aaaaaaaa | purr | done | `a.rs::helper` | `a.rs::purrs` | |\n";
    let second = "| 1#2 bbbbbbbb | sleep | application | | | ours to say |\n";
    assert_eq!(with(&format!("{first}{second}")), Vec::<String>::new());
    let table = [
        (first.to_owned(), "RFC 1, 1#2: no row"),
        (format!("{first}{second}{second}"), "RFC 1, 1#2: no such requirement, or a second row for it"),
        (
            format!("{first}{second}| 3#1 cccccccc | x | application | | | y |"),
            "RFC 1, 3#1: no such requirement",
        ),
        (
            format!("{}{second}", first.replace("aaaaaaaa", "cccccccc")),
            "1#1: the hash is aaaaaaaa, not cccccccc",
        ),
        (format!("{}{second}", first.replace("`a.rs::purrs`", "")), "1#1: done, and no code or no test"),
        (format!("{}{second}", first.replace("`a.rs::helper`", "")), "1#1: done, and no code or no test"),
        (format!("{}{second}", first.replace("purrs", "barks")), "1#1: a.rs has no barks"),
        (format!("{}{second}", first.replace("purrs", "helper")), "1#1: a.rs has no helper"),
        (format!("{}{second}", first.replace("::helper", "::help")), "1#1: a.rs has no help"),
        (format!("{}{second}", first.replace("a.rs::helper", "b.rs::helper")), "1#1: there is no file b.rs"),
        (
            format!("{}{second}", first.replace("`a.rs::helper`", "a.rs::helper")),
            "a.rs::helper is not `path::item`",
        ),
        (format!("{}{second}", first.replace("done", "mostly")), "1#1: `mostly` is none of"),
        (format!("{first}{}", second.replace("ours to say", "")), "1#2: not done, and no reason"),
        (format!("{first}{}", second.replace("| sleep", "| sleep | soundly")), "not six cells"),
    ];
    for (rows, expected) in table {
        let complaints = with(&rows);
        assert!(complaints.iter().any(|c| c.contains(expected)), "{expected}: {complaints:?}");
    }
}
