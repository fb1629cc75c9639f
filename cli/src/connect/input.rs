//! The peer's lines, read from standard input on a thread of their own: a read of a terminal cannot be cancelled, and
//! must not keep the program from ending.

use std::io::{BufRead, Read};
use std::thread;

use tokio::sync::mpsc;

use super::lines::{self, Incoming, LineError, MAX_LINE};

/// A line, counted from 1, and what it says.
pub(super) struct Line {
    pub(super) number: usize,
    pub(super) content: Result<Incoming, LineError>,
}

/// Starts to read standard input. The channel closes at its end.
pub(super) fn from_stdin() -> mpsc::Receiver<Line> {
    let (sender, receiver) = mpsc::channel(WAITING_LINES);
    thread::spawn(move || {
        let mut reader = Reader::new(std::io::stdin().lock());
        while let Some(line) = reader.next_line() {
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

/// Lines that were read and wait to be acted on; then reading waits.
const WAITING_LINES: usize = 64;

struct Reader<R> {
    input: R,
    number: usize,
    ended: bool,
}

impl<R: BufRead> Reader<R> {
    fn new(input: R) -> Self {
        Self { input, number: 0, ended: false }
    }

    /// The next line that says anything; `None` at the end of the input.
    fn next_line(&mut self) -> Option<Line> {
        while !self.ended {
            let content = match self.read() {
                Ok(None) => return None,
                Ok(Some(text)) => lines::parse(&text).transpose(),
                Err(error) => Some(Err(error)),
            };
            if let Some(content) = content {
                return Some(Line { number: self.number, content });
            }
        }
        None
    }

    fn read(&mut self) -> Result<Option<String>, LineError> {
        self.number += 1;
        let mut bytes = Vec::new();
        let limit = MAX_LINE as u64 + 1;
        if let Err(error) = self.input.by_ref().take(limit).read_until(b'\n', &mut bytes) {
            self.ended = true;
            return Err(LineError::Unreadable(error));
        }
        if bytes.is_empty() {
            self.ended = true;
            return Ok(None);
        }
        if bytes.len() > MAX_LINE && !bytes.ends_with(b"\n") {
            if self.input.skip_until(b'\n').is_err() {
                self.ended = true;
            }
            return Err(LineError::TooLong);
        }
        String::from_utf8(bytes).map(Some).map_err(|_| LineError::NotUtf8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(input: &[u8]) -> Vec<(usize, String)> {
        let mut reader = Reader::new(input);
        std::iter::from_fn(|| reader.next_line())
            .map(|line| {
                let content = match line.content {
                    Ok(incoming) => format!("{incoming:?}"),
                    Err(error) => error.to_string(),
                };
                (line.number, content)
            })
            .collect()
    }

    #[test]
    fn lines_keep_their_numbers_over_blank_and_bad_ones() {
        let got = read_all(b"\n{\"t\":\"eoc\"}\r\n\xff\n\n{\"t\":\"eoc\"}");
        let expected = [(2, "Eoc"), (3, "is not UTF-8"), (5, "Eoc")];
        assert_eq!(got, expected.map(|(number, text)| (number, text.to_owned())));
    }

    #[test]
    fn a_line_without_end_is_skipped_and_never_held() {
        let mut input = vec![b'x'; MAX_LINE * 3];
        input.extend_from_slice(b"\n{\"t\":\"eoc\"}\n");
        let got = read_all(&input);
        assert_eq!(got, [(1, format!("is longer than {MAX_LINE} bytes")), (2, "Eoc".to_owned())]);
    }
}
