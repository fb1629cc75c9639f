//! What an RFC asks for, found in its plain text: every sentence with a key word of RFC 2119, by section and place in it.
//! Pages are glued together, sentences joined across lines. Only a hash of each sentence is kept: the words are the RFC's.

use sha1::{Digest, Sha1};
use std::fmt;

/// One sentence that asks for something.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Requirement {
    /// As the RFC numbers it: `7.2.5.1`.
    pub(crate) section: String,
    /// Its place among the requirements of the section, from 1.
    pub(crate) ordinal: usize,
    /// The key words, in the order in which they stand.
    pub(crate) keywords: Vec<&'static str>,
    /// Of the sentence with single spaces: 8 hexadecimal digits.
    pub(crate) hash: String,
    /// The sentence. Never to be committed.
    pub(crate) sentence: String,
}

impl Requirement {
    /// How the list and the table name it: `7.2.5.1#2`.
    pub(crate) fn id(&self) -> String {
        format!("{}#{}", self.section, self.ordinal)
    }
}

/// A line of the list.
impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.id(), self.hash, self.keywords.join(", "))
    }
}

/// The requirements of the sections that `wanted` names, in the order of the text. A section stands for its subsections,
/// too; `5-14` stands for all from 5 to 14.
pub(crate) fn requirements(text: &str, wanted: &[&str]) -> Vec<Requirement> {
    let mut found: Vec<Requirement> = Vec::new();
    for (section, paragraph) in paragraphs(text) {
        if !wanted.iter().any(|w| names(w, &section)) {
            continue;
        }
        for sentence in sentences(&paragraph) {
            let keywords = keywords(sentence);
            if keywords.is_empty() {
                continue;
            }
            let ordinal = 1 + found.iter().filter(|f| f.section == section).count();
            let (section, sentence) = (section.clone(), sentence.to_owned());
            found.push(Requirement { section, ordinal, keywords, hash: hash(&sentence), sentence });
        }
    }
    found
}

fn names(wanted: &str, section: &str) -> bool {
    let chapter = |s: &str| s.parse::<u32>().ok();
    if let Some((first, last)) = wanted.split_once('-') {
        let this = section.split('.').next().and_then(chapter);
        return this.is_some() && this >= chapter(first) && this <= chapter(last);
    }
    section.strip_prefix(wanted).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// Each paragraph on one line with single spaces, and the section that it stands in.
fn paragraphs(text: &str) -> Vec<(String, String)> {
    let mut section = String::new();
    let (mut all, mut current) = (Vec::new(), String::new());
    let mut page_ended = false;
    for line in lines(text) {
        match line {
            Line::PageBreak => page_ended = true,
            Line::Blank if page_ended => {}
            Line::Blank => flush(&mut all, &section, &mut current),
            Line::Heading(number) => {
                flush(&mut all, &section, &mut current);
                number.clone_into(&mut section);
            }
            Line::Text(words) => {
                // What ends a sentence or announces a list goes no further than its page.
                if page_ended && current.ends_with(['.', ':']) {
                    flush(&mut all, &section, &mut current);
                }
                for word in words.split_whitespace() {
                    if !current.is_empty() && !is_divided(&current, word) {
                        current.push(' ');
                    }
                    current.push_str(word);
                }
            }
        }
        page_ended &= matches!(line, Line::PageBreak | Line::Blank);
    }
    flush(&mut all, &section, &mut current);
    all
}

/// Whether `word` goes on with a word that the last line has divided behind its own hyphen.
fn is_divided(before: &str, word: &str) -> bool {
    before.strip_suffix('-').is_some_and(|stem| stem.ends_with(char::is_alphanumeric))
        && word.starts_with(char::is_alphanumeric)
}

fn flush(all: &mut Vec<(String, String)>, section: &str, current: &mut String) {
    if !current.is_empty() {
        all.push((section.to_owned(), std::mem::take(current)));
    }
}

#[derive(Clone, Copy)]
enum Line<'t> {
    /// A footer, a form feed and a header, with the empty lines before them.
    PageBreak,
    Blank,
    /// Its number; empty for an appendix and for what comes after the numbered sections.
    Heading(&'t str),
    Text(&'t str),
}

fn lines(text: &str) -> Vec<Line<'_>> {
    let mut lines: Vec<Line<'_>> = Vec::new();
    let mut is_header = false;
    for line in text.trim_start_matches('\u{feff}').lines() {
        let has_form_feed = line.contains('\u{c}');
        let line = line.trim_end();
        if line.ends_with(']') && line.contains("[Page ") {
            while matches!(lines.last(), Some(Line::Blank)) {
                lines.pop();
            }
            lines.push(Line::PageBreak);
        } else if has_form_feed {
            is_header = true;
        } else if std::mem::take(&mut is_header) {
            // The running title of the next page.
        } else if line.is_empty() {
            lines.push(Line::Blank);
        } else if line.starts_with(' ') {
            lines.push(Line::Text(line));
        } else {
            let number = line.split(' ').next().unwrap_or_default().trim_end_matches('.');
            let is_number = !number.is_empty() && number.split('.').all(|p| p.parse::<u32>().is_ok());
            lines.push(Line::Heading(if is_number { number } else { "" }));
        }
    }
    lines
}

fn sentences(paragraph: &str) -> Vec<&str> {
    let mut sentences = Vec::new();
    let mut start = 0;
    for (end, _) in paragraph.match_indices(' ') {
        let (before, after) = paragraph.split_at(end);
        let last = before.rsplit(' ').next().unwrap_or_default();
        let is_item = end - start == last.len() && last.trim_end_matches('.').parse::<u32>().is_ok();
        let stops = last.trim_end_matches([')', '"']).ends_with(['.', '?', '!']) && !is_short(last);
        if stops && !is_item && !after.trim_start().starts_with(char::is_lowercase) {
            sentences.push(paragraph.get(start..end).unwrap_or_default());
            start = end + 1;
        }
    }
    sentences.push(paragraph.get(start..).unwrap_or_default());
    sentences
}

/// Whether the full stop belongs to a shortened word.
fn is_short(word: &str) -> bool {
    ["e.g.", "i.e.", "etc.", "vs.", "cf.", "al."].contains(&word.trim_start_matches(['(', '"']))
}

fn keywords(sentence: &str) -> Vec<&'static str> {
    let is_letter = |c: char| c.is_alphanumeric() || c == '_';
    let words: Vec<&str> = sentence.split(|c: char| !is_letter(c)).filter(|w| !w.is_empty()).collect();
    let mut found = Vec::new();
    for (place, word) in words.iter().enumerate() {
        let next = words.get(place + 1).copied().unwrap_or_default();
        let before = place.checked_sub(1).and_then(|p| words.get(p)).copied().unwrap_or_default();
        found.push(match (before, *word, next) {
            (_, "MUST", "NOT") => "MUST NOT",
            (_, "MUST", _) => "MUST",
            (_, "SHALL", "NOT") => "SHALL NOT",
            (_, "SHALL", _) => "SHALL",
            (_, "SHOULD", "NOT") => "SHOULD NOT",
            (_, "SHOULD", _) => "SHOULD",
            (_, "REQUIRED", _) => "REQUIRED",
            ("NOT", "RECOMMENDED", _) => "NOT RECOMMENDED",
            (_, "RECOMMENDED", _) => "RECOMMENDED",
            _ => continue,
        });
    }
    found
}

fn hash(sentence: &str) -> String {
    Sha1::digest(sentence.as_bytes()).iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "
1.  Cats

   A cat MUST purr (e.g. When it
   is fed), says RFC 1. It SHOULD NOT bark, and it SHOULD be dry-
   clean.  A cat may sleep; it

Author                        Standards Track                   [Page 1]
\u{c}
RFC 0                         Cats and Dogs                    June 2026


   MUST wake.  Mice are REQUIRED:

   1.  A mouse MUST run.

1.1.  Kittens

   MUSTARD is NOT RECOMMENDED.

2.  Dogs

   A dog MUST bark.

Appendix A.  Birds

   A bird MUST sing.
";

    fn ids(wanted: &[&str]) -> Vec<(String, String)> {
        requirements(TEXT, wanted).iter().map(|r| (r.id(), r.keywords.join(", "))).collect()
    }

    #[test]
    fn sentences_are_found_across_lines_and_pages() {
        let expected = [
            ("1#1", "MUST", "A cat MUST purr (e.g. When it is fed), says RFC 1."),
            ("1#2", "SHOULD NOT, SHOULD", "It SHOULD NOT bark, and it SHOULD be dry-clean."),
            ("1#3", "MUST", "A cat may sleep; it MUST wake."),
            ("1#4", "REQUIRED", "Mice are REQUIRED:"),
            ("1#5", "MUST", "1. A mouse MUST run."),
            ("1.1#1", "NOT RECOMMENDED", "MUSTARD is NOT RECOMMENDED."),
            ("2#1", "MUST", "A dog MUST bark."),
        ];
        let found = requirements(TEXT, &["1-2"]);
        let found: Vec<_> = found.iter().map(|r| (r.id(), r.keywords.join(", "), &*r.sentence)).collect();
        let found: Vec<_> = found.iter().map(|(id, words, sentence)| (&**id, &**words, *sentence)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_section_stands_for_its_subsections_and_no_others() {
        assert_eq!(ids(&["1.1"]), [("1.1#1".to_owned(), "NOT RECOMMENDED".to_owned())]);
        assert_eq!(ids(&["2"]).len(), 1);
        assert_eq!(ids(&["1"]).len(), 6);
        assert_eq!(ids(&["3-9"]), []);
    }

    #[test]
    fn another_word_is_another_hash_and_another_line_is_not() {
        let of = |text: &str| requirements(text, &["1"]).remove(0).hash;
        assert_eq!(of("1.  X\n\n   You MUST\n   go.\n"), of("1.  X\n\n   You  MUST go.\n"));
        assert_ne!(of("1.  X\n\n   You MUST go.\n"), of("1.  X\n\n   You MUST run.\n"));
    }
}
