//! Imports inside the engine point downwards only: a room (a folder of `src/`) names rooms below its own.
//!
//! This reads the sources, test-only code too, and finds every path that starts at the crate's root, whether
//! through `crate::` or by climbing there with `super::`. `lib.rs` stands above all rooms and may name any.

use std::fs;
use std::io;
use std::path::Path;

/// The rooms from the top down. Rooms of one level do not import each other.
const LEVELS: &[&[&str]] = &[
    // Text only.
    &["manual"],
    &["endpoint"],
    &["agent"],
    &["gather", "check", "path"],
    &["relay"],
    &["nat"],
    &["transaction"],
    &["trace"],
    &["description", "server"],
    &["candidate"],
    &["wire"],
    &["base"],
];

#[test]
fn imports_point_downwards() {
    let files = engine_sources().unwrap();
    let imports: usize = files.iter().map(|file| root_paths(&file.text, file.depth).len()).sum();
    assert!(imports > 0, "no import found at all: the sources were not read right");

    let violations: Vec<String> = files.iter().flat_map(violations).collect();
    assert!(violations.is_empty(), "{} violations:\n{}", violations.len(), violations.join("\n"));
}

#[test]
fn every_room_has_a_level() {
    for file in engine_sources().unwrap() {
        let room = &file.room;
        assert!(level(room).is_some(), "{}: give the room `{room}` its place in LEVELS", file.name);
    }
}

#[test]
fn the_checker_finds_what_it_should() {
    // The room, the depth of the file's module, the source, and the lines with a violation.
    let cases: &[(&str, usize, &str, &[usize])] = &[
        ("agent", 2, "use crate::base::Instant;\nuse crate::{check, wire::Message};", &[]),
        ("check", 2, "use crate::base::Instant;\nuse crate::agent::Agent;", &[2]),
        ("base", 2, "fn f() -> u8 {\n    crate::wire::HEADER\n}", &[2]),
        ("base", 2, "fn f(x: &dyn Into<crate :: trace::Event>) {}", &[1]),
        (
            "wire",
            2,
            "pub use crate::{\n    base::{Instant, Tuple},\n    candidate::{self, Candidate},\n};",
            &[3],
        ),
        ("candidate", 2, "use crate::wire::Message;", &[]),
        ("trace", 2, "use crate::candidate::Candidate;\nuse crate::transaction::Table;", &[2]),
        // One level: not each other, but oneself.
        ("gather", 2, "use crate::check::Pair;\nuse crate::path::Path;\nuse crate::gather::Socket;", &[1, 2]),
        // Test-only code and macros obey too.
        ("base", 1, "#[cfg(test)]\nmod tests {\n    use super::*;\n    use crate::wire::*;\n}", &[4]),
        ("base", 2, "macro_rules! m { () => { $crate::agent::f() } }", &[1]),
        // Climbing to the root is the same as starting there; climbing within the room is not.
        ("check", 1, "use super::agent::Agent;", &[1]),
        ("check", 2, "use super::agent::Agent;\nuse super::super::agent::Agent;", &[2]),
        ("check", 2, "use super::{pair, super::{agent::Agent, base}};", &[1]),
        ("check", 1, "mod a { mod b {} use super::super::agent; }\nuse self::agent;", &[1]),
        // Through the root one could reach everything, so a path names the room that owns the thing.
        (
            "base",
            2,
            "use crate::Agent;\nuse crate::*;\nuse crate as root;\nuse crate::{self as root};",
            &[1, 2, 3, 4],
        ),
        ("base", 2, "extern crate alloc;\npub(crate) fn f() {}\npub(in crate::base) fn g() {}", &[]),
        // What is no code is no import.
        ("base", 2, "//! [`crate::agent::Agent`]\n/* crate::agent /* crate::check */ crate::path */", &[]),
        ("base", 2, r##"const A: &str = "\"crate::agent"; const B: &[u8] = br#""crate::agent"#;"##, &[]),
        ("base", 2, "fn f(x: &'static str) -> char { '\"' }\nuse crate::agent::A; // '\"'", &[2]),
        ("base", 2, "const A: [char; 3] = ['\\'', '\\\\', 'b'];\n\n\nuse crate::agent::A;", &[4]),
    ];
    for (room, depth, text, expected) in cases {
        let file = Source { name: "x.rs".into(), room: (*room).into(), depth: *depth, text: (*text).into() };
        let lines: Vec<String> = expected.iter().map(|line| format!("x.rs:{line}: ")).collect();
        let found = violations(&file);
        let right = found.len() == lines.len() && found.iter().zip(&lines).all(|(f, l)| f.starts_with(l));
        assert!(right, "in room `{room}`:\n{text}\nexpected lines {expected:?}, found {found:#?}");
    }
}

#[test]
fn a_file_knows_its_room_and_its_depth() {
    assert_eq!(place("base/mod.rs"), ("base".to_owned(), 1));
    assert_eq!(place("base/ids.rs"), ("base".to_owned(), 2));
    assert_eq!(place("candidate/grammar/tests.rs"), ("candidate".to_owned(), 3));
    assert_eq!(place("nat.rs"), ("nat".to_owned(), 1));
}

/// One source file of the engine.
struct Source {
    /// Its path from the workspace's root.
    name: String,
    room: String,
    /// How many modules deep its own module is: 1 for a room's `mod.rs`.
    depth: usize,
    text: String,
}

fn violations(file: &Source) -> Vec<String> {
    let judge = |(line, to): (usize, &str)| {
        let complaint = complaint(&file.room, to)?;
        Some(format!("{}:{line}: {complaint}", file.name))
    };
    root_paths(&file.text, file.depth).into_iter().filter_map(judge).collect()
}

/// What is wrong with naming `crate::to` in the room `from`, if anything.
fn complaint(from: &str, to: &str) -> Option<String> {
    if from == to {
        return None;
    }
    let Some(target) = level(to) else {
        return Some(format!("`crate::{to}` is not a room: name the thing in the room that owns it"));
    };
    match level(from)?.cmp(&target) {
        std::cmp::Ordering::Less => None,
        std::cmp::Ordering::Equal => Some(format!("`{from}` and `{to}` must not import each other")),
        std::cmp::Ordering::Greater => Some(format!("`{from}` must not import `{to}`, which is above it")),
    }
}

/// How far from the top a room is.
fn level(room: &str) -> Option<usize> {
    LEVELS.iter().position(|rooms| rooms.contains(&room))
}

/// Every source file of the engine but `lib.rs`.
fn engine_sources() -> io::Result<Vec<Source>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&root, "", &mut files)?;
    files.retain(|file| file.room != "lib");
    Ok(files)
}

/// Reads every `.rs` file below `folder`, whose path from `src/` is `prefix`.
fn collect(folder: &Path, prefix: &str, files: &mut Vec<Source>) -> io::Result<()> {
    let mut entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::path);
    for entry in entries {
        let path = entry.path();
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if path.is_dir() {
            collect(&path, &format!("{name}/"), files)?;
        } else if name.ends_with(".rs") {
            let (room, depth) = place(&name);
            let name = format!("ice-core/src/{name}");
            files.push(Source { name, room, depth, text: fs::read_to_string(&path)? });
        }
    }
    Ok(())
}

/// The room of a file and the depth of its module, from its path below `src/`.
fn place(file: &str) -> (String, usize) {
    let module = file.trim_end_matches(".rs").trim_end_matches("/mod");
    let room = module.split('/').next().unwrap_or(module);
    (room.to_owned(), module.split('/').count())
}

/// The first name after the crate's root, and its line, of each path in `source` that starts at or climbs to
/// the root. `depth` is that of the file's own module. A name given to the root itself counts as `self`.
fn root_paths(source: &str, depth: usize) -> Vec<(usize, &str)> {
    let mut walk = Walk { tokens: tokens(source), at: 0, found: Vec::new() };
    // One entry for each open brace: whether it opened a module.
    let mut braces: Vec<bool> = Vec::new();
    while let Some(word) = walk.text(0) {
        match word {
            "{" => braces.push(walk.at >= 2 && walk.nth(walk.at - 2) == Some("mod")),
            "}" => drop(braces.pop()),
            "crate" | "super" | "self" if matches!(walk.text(1), Some("::" | "as")) => {
                walk.tree(depth + braces.iter().filter(|is_mod| **is_mod).count());
                continue;
            }
            _ => {}
        }
        walk.at += 1;
    }
    walk.found
}

/// A place among the tokens of a file, and what was found up to there.
struct Walk<'s> {
    tokens: Vec<(usize, &'s str)>,
    at: usize,
    found: Vec<(usize, &'s str)>,
}

impl<'s> Walk<'s> {
    fn nth(&self, index: usize) -> Option<&'s str> {
        self.tokens.get(index).map(|(_, text)| *text)
    }

    fn text(&self, ahead: usize) -> Option<&'s str> {
        self.nth(self.at + ahead)
    }

    /// Follows one path, or each branch of a group, from a module that is `depth` deep. Stops behind
    /// the first name that leads downwards: from there no path comes back to the root.
    fn tree(&mut self, mut depth: usize) {
        while let Some((line, text)) = self.tokens.get(self.at).copied() {
            self.at += 1;
            match text {
                "crate" => depth = 0,
                "super" => depth = depth.saturating_sub(1),
                "self" => {}
                "{" => return self.group(depth),
                name => {
                    if depth == 0 {
                        self.found.push((line, name));
                    }
                    return;
                }
            }
            match self.text(0) {
                Some("::") => self.at += 1,
                Some("as") if depth == 0 => return self.found.push((line, "self")),
                _ => return,
            }
        }
    }

    /// The branches of a group, from behind its opening brace to behind its closing one.
    fn group(&mut self, depth: usize) {
        while !matches!(self.text(0), None | Some("}")) {
            self.tree(depth);
            self.skip_branch();
        }
        self.at += 1;
    }

    /// Past the rest of a branch and the comma behind it.
    fn skip_branch(&mut self) {
        let mut open = 0_usize;
        while let Some(text) = self.text(0) {
            match text {
                "{" => open += 1,
                "}" if open == 0 => return,
                "}" => open -= 1,
                "," if open == 0 => {
                    self.at += 1;
                    return;
                }
                _ => {}
            }
            self.at += 1;
        }
    }
}

/// Words, `::` and single punctuation marks, each with its line; no comments, no literals.
fn tokens(source: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let (mut rest, mut line) = (source, 1);
    while !rest.is_empty() {
        let (length, is_code) = lexeme(rest);
        let (text, tail) = rest.split_at(length);
        if is_code {
            found.push((line, text));
        }
        line += text.matches('\n').count();
        rest = tail;
    }
    found
}

/// The length of what `rest` begins with, and whether it is code.
fn lexeme(rest: &str) -> (usize, bool) {
    if rest.starts_with("//") {
        return (rest.find('\n').unwrap_or(rest.len()), false);
    }
    if rest.starts_with("/*") {
        return (block_comment(rest), false);
    }
    if rest.starts_with("::") {
        return (2, true);
    }
    if let Some(length) = literal(rest) {
        return (length, false);
    }
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let word = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
    let first = rest.chars().next().unwrap_or(' ');
    if word > 0 { (word, true) } else { (first.len_utf8(), !first.is_whitespace()) }
}

fn block_comment(rest: &str) -> usize {
    let mut depth = 0_usize;
    let mut length = 0;
    while let Some(tail) = rest.get(length..).filter(|tail| !tail.is_empty()) {
        if tail.starts_with("/*") {
            depth += 1;
            length += 2;
        } else if tail.starts_with("*/") {
            depth -= 1;
            length += 2;
            if depth == 0 {
                break;
            }
        } else {
            length += tail.chars().next().map_or(1, char::len_utf8);
        }
    }
    length
}

/// The length of a string or character at the start of `rest`, prefix and all.
fn literal(rest: &str) -> Option<usize> {
    let (prefix, quoted) = rest.split_at(rest.find(|c| !matches!(c, 'b' | 'c' | 'r'))?);
    if prefix.contains('r') {
        let hashes = quoted.find(|c| c != '#')?;
        let text = quoted.split_at(hashes).1.strip_prefix('"')?;
        let end = format!("\"{}", "#".repeat(hashes));
        return Some(prefix.len() + hashes + 1 + text.find(&end)? + end.len());
    }
    let mut chars = quoted.chars();
    let quote = chars.next().filter(|c| matches!(c, '"' | '\''))?;
    // A quote with neither an escape nor its pair two on begins a lifetime.
    if quote == '\'' && chars.next() != Some('\\') && chars.next() != Some('\'') {
        return None;
    }
    let mut escaped = false;
    for (at, c) in quoted.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return Some(prefix.len() + at + 1),
            _ => {}
        }
    }
    None
}
