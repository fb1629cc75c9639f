//! Colours for a terminal, and none for anything else.

use std::io::IsTerminal;

use crate::demo::timeline::Side;

/// Whether and how to colour.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Paint {
    on: bool,
}

impl Paint {
    /// No colours.
    #[cfg(test)]
    pub(crate) const PLAIN: Self = Self { on: false };
    #[cfg(test)]
    pub(crate) const COLOURED: Self = Self { on: true };

    /// Colours if standard output is a terminal and `NO_COLOR` is not set (or empty, as no-color.org has it).
    pub(crate) fn for_stdout() -> Self {
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { on: std::io::stdout().is_terminal() && !unwanted }
    }

    pub(crate) fn bold(self, text: &str) -> String {
        self.with("1", text)
    }

    pub(crate) fn dim(self, text: &str) -> String {
        self.with("2", text)
    }

    pub(crate) fn good(self, text: &str) -> String {
        self.with("32", text)
    }

    pub(crate) fn bad(self, text: &str) -> String {
        self.with("31", text)
    }

    pub(crate) fn side(self, side: Side, text: &str) -> String {
        match side {
            Side::Alice => self.with("36", text),
            Side::Bob => self.with("33", text),
        }
    }

    fn with(self, code: &str, text: &str) -> String {
        if self.on { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}
