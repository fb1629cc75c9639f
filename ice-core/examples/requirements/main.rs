//! Lists what an RFC requires: `requirements [--sentences] <rfc8445.txt> <section>...`, where a section is `7.2` or `5-14`.
//!
//! One line for each sentence with a key word of RFC 2119: section and place in it, a hash, the key words. The lists under
//! `docs/conformance/` are its output. `--sentences` adds the sentences, to read; they are the RFC's and are not committed.

use std::process::ExitCode;

mod extract;

fn main() -> ExitCode {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let with_sentences = arguments.iter().any(|a| a == "--sentences");
    arguments.retain(|a| a != "--sentences");
    let [path, sections @ ..] = &*arguments else { return usage() };
    if sections.is_empty() {
        return usage();
    }
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => {
            eprintln!("{path}: {error}");
            return ExitCode::FAILURE;
        }
    };
    let sections: Vec<&str> = sections.iter().map(String::as_str).collect();
    println!("# sections {}", sections.join(" "));
    for requirement in extract::requirements(&text, &sections) {
        println!("{requirement}");
        if with_sentences {
            println!("    {}", requirement.sentence);
        }
    }
    ExitCode::SUCCESS
}

fn usage() -> ExitCode {
    eprintln!("usage: requirements [--sentences] <rfc.txt> <section>...");
    ExitCode::FAILURE
}
