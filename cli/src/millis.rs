//! Times as they are written: in milliseconds, as text and in JSON.

use std::fmt;
use std::time::Duration;

use serde::{Serialize, Serializer};

/// A time that is displayed and serialized in milliseconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(crate) struct Millis(pub(crate) Duration);

impl fmt::Display for Millis {
    /// Two decimals, which is what a person can use; a width is honoured.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{:.2}", self.0.as_secs_f64() * 1e3))
    }
}

impl Serialize for Millis {
    /// A number with at most three decimals.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let micros = u32::try_from(self.0.as_micros()).unwrap_or(u32::MAX);
        serializer.serialize_f64(f64::from(micros) / 1e3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_has_two_decimals_and_json_three() {
        let time = Millis(Duration::from_nanos(1_234_567));
        assert_eq!(format!("[{time:>8}]"), "[    1.23]");
        assert_eq!(serde_json::to_string(&time).unwrap(), "1.234");
    }
}
