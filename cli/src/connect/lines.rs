//! The line protocol of `floe connect`: JSON, one object a line, its kind in the field `t`. Parsing and printing only;
//! what the lines mean to an agent is decided next door.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The longest line that is taken, in bytes. A description with as many candidates as an agent takes is far shorter.
pub(super) const MAX_LINE: usize = 256 * 1024;

/// A line to the peer or to whoever watches.
#[derive(Serialize, PartialEq, Eq, Debug)]
#[serde(tag = "t", rename_all = "lowercase")]
pub(super) enum Outgoing {
    /// For the peer: how to reach this agent. The first line.
    Desc {
        ufrag: String,
        pwd: String,
        /// Lines of RFC 8839 §5.1 without `a=`. Empty when trickling.
        cands: Vec<String>,
        /// Whether these are all candidates that there will be.
        eoc: bool,
        /// Whether this is a lite agent.
        #[serde(skip_serializing_if = "is_false")]
        lite: bool,
    },
    /// For the peer: one more candidate.
    Cand { cand: String },
    /// For the peer: there will be no more candidates (RFC 8838 §8.2).
    Eoc,
    /// A path is selected.
    Connected {
        /// Since the start of the program.
        ms: u64,
        pair: String,
    },
    /// A datagram came in; what is not UTF-8 is replaced.
    Data { text: String },
    /// The agent has come this far.
    State {
        state: &'static str,
        /// Which path, or why.
        #[serde(skip_serializing_if = "Option::is_none")]
        why: Option<String>,
    },
    /// There is no path. The last line.
    Fail {
        why: String,
        /// What became of each pair that was tried.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        pairs: Vec<String>,
    },
}

impl Outgoing {
    /// The line, without its end.
    pub(super) fn to_line(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
fn is_false(value: &bool) -> bool {
    !value
}

/// A line from the peer.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Incoming {
    Desc(Description),
    /// A candidate line as it came, not parsed yet.
    Cand(String),
    /// The peer has no more candidates.
    Eoc,
    /// Of a kind that is not known here: to be skipped.
    Unknown(String),
}

/// How to reach the peer.
#[derive(Deserialize, PartialEq, Eq, Debug)]
pub(super) struct Description {
    pub(super) ufrag: String,
    pub(super) pwd: String,
    #[serde(default)]
    pub(super) cands: Vec<String>,
    #[serde(default)]
    pub(super) eoc: bool,
    #[serde(default)]
    pub(super) lite: bool,
    /// The fingerprint of a DTLS certificate: the peer is a whole WebRTC stack and will send no text.
    #[serde(default)]
    pub(super) fp: Option<Value>,
}

#[derive(Deserialize)]
struct CandidateLine {
    cand: String,
}

/// Reads one line. Blank lines say nothing.
pub(super) fn parse(line: &str) -> Result<Option<Incoming>, LineError> {
    if line.trim().is_empty() {
        return Ok(None);
    }
    let value: Value = serde_json::from_str(line).map_err(LineError::NotJson)?;
    let Value::Object(fields) = value else { return Err(LineError::NotAnObject) };
    let kind = match fields.get("t") {
        Some(Value::String(kind)) => kind.clone(),
        Some(_) => return Err(LineError::KindNotText),
        None => return Err(LineError::NoKind),
    };
    let incoming = match kind.as_str() {
        "desc" => Incoming::Desc(read("desc", fields)?),
        "cand" => Incoming::Cand(read::<CandidateLine>("cand", fields)?.cand),
        "eoc" => Incoming::Eoc,
        _ => Incoming::Unknown(kind),
    };
    Ok(Some(incoming))
}

fn read<T: DeserializeOwned>(kind: &'static str, fields: Map<String, Value>) -> Result<T, LineError> {
    serde_json::from_value(Value::Object(fields)).map_err(|source| LineError::Fields { kind, source })
}

/// What is wrong with a line.
#[derive(thiserror::Error, Debug)]
pub(super) enum LineError {
    #[error("could not be read: {0}")]
    Unreadable(std::io::Error),
    #[error("is longer than {MAX_LINE} bytes")]
    TooLong,
    #[error("is not UTF-8")]
    NotUtf8,
    #[error("is not JSON: {0}")]
    NotJson(serde_json::Error),
    #[error("is JSON, but not an object")]
    NotAnObject,
    #[error("has no field `t` to tell its kind")]
    NoKind,
    #[error("has a field `t` that is not text")]
    KindNotText,
    #[error("is of kind `{kind}`, but {source}")]
    Fields { kind: &'static str, source: serde_json::Error },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Incoming {
        parse(line).unwrap().unwrap()
    }

    #[test]
    fn descriptions_may_leave_out_what_trickles() {
        let whole =
            r#"{"t":"desc","ufrag":"abcd","pwd":"p","cands":["candidate:1"],"eoc":true,"fp":"sha-256 00"}"#;
        let expected = Description {
            ufrag: "abcd".into(),
            pwd: "p".into(),
            cands: vec!["candidate:1".into()],
            eoc: true,
            lite: false,
            fp: Some("sha-256 00".into()),
        };
        assert_eq!(parsed(whole), Incoming::Desc(expected));

        let short = r#"{"t":"desc","ufrag":"abcd","pwd":"p"}"#;
        let expected = Description {
            ufrag: "abcd".into(),
            pwd: "p".into(),
            cands: vec![],
            eoc: false,
            lite: false,
            fp: None,
        };
        assert_eq!(parsed(short), Incoming::Desc(expected));
    }

    #[test]
    fn other_kinds_and_other_fields_are_not_errors() {
        assert_eq!(
            parsed(r#"{"mid":"0","cand":"candidate:1","t":"cand"}"#),
            Incoming::Cand("candidate:1".into())
        );
        assert_eq!(parsed("{\"t\":\"eoc\"}\r"), Incoming::Eoc);
        assert_eq!(parsed(r#"{"t":"bye"}"#), Incoming::Unknown("bye".into()));
        assert_eq!(parse("  \r").unwrap(), None);
    }

    #[test]
    fn each_malformed_line_is_told_apart() {
        let table = [
            ("hello", "is not JSON: expected value at line 1 column 1"),
            (r#"{"t":"desc""#, "is not JSON: EOF while parsing an object at line 1 column 11"),
            (r#"{"t":"eoc"} x"#, "is not JSON: trailing characters at line 1 column 13"),
            ("[1]", "is JSON, but not an object"),
            ("{}", "has no field `t` to tell its kind"),
            (r#"{"t":7}"#, "has a field `t` that is not text"),
            (r#"{"t":"cand"}"#, "is of kind `cand`, but missing field `cand`"),
            (r#"{"t":"desc","pwd":"p"}"#, "is of kind `desc`, but missing field `ufrag`"),
            (r#"{"t":"desc","ufrag":"u"}"#, "is of kind `desc`, but missing field `pwd`"),
            (
                r#"{"t":"desc","ufrag":"u","pwd":"p","cands":"c"}"#,
                "is of kind `desc`, but invalid type: string \"c\", expected a sequence",
            ),
            (
                r#"{"t":"desc","ufrag":"u","pwd":"p","eoc":1}"#,
                "is of kind `desc`, but invalid type: integer `1`, expected a boolean",
            ),
        ];
        for (line, expected) in table {
            assert_eq!(parse(line).unwrap_err().to_string(), expected, "{line}");
        }
    }

    #[test]
    fn lines_are_printed_as_the_protocol_has_them() {
        let state = |why: Option<&str>| Outgoing::State { state: "usable", why: why.map(str::to_owned) };
        let table = [
            (
                Outgoing::Desc {
                    ufrag: "u".into(),
                    pwd: "p".into(),
                    cands: vec!["candidate:1".into()],
                    eoc: true,
                    lite: false,
                },
                r#"{"t":"desc","ufrag":"u","pwd":"p","cands":["candidate:1"],"eoc":true}"#,
            ),
            (
                Outgoing::Desc {
                    ufrag: "u".into(),
                    pwd: "p".into(),
                    cands: Vec::new(),
                    eoc: false,
                    lite: true,
                },
                r#"{"t":"desc","ufrag":"u","pwd":"p","cands":[],"eoc":false,"lite":true}"#,
            ),
            (Outgoing::Cand { cand: "candidate:1".into() }, r#"{"t":"cand","cand":"candidate:1"}"#),
            (Outgoing::Eoc, r#"{"t":"eoc"}"#),
            (
                Outgoing::Connected { ms: 12, pair: "a > b".into() },
                r#"{"t":"connected","ms":12,"pair":"a > b"}"#,
            ),
            (Outgoing::Data { text: "two\nlines".into() }, r#"{"t":"data","text":"two\nlines"}"#),
            (state(None), r#"{"t":"state","state":"usable"}"#),
            (state(Some("x")), r#"{"t":"state","state":"usable","why":"x"}"#),
            (Outgoing::Fail { why: "no".into(), pairs: vec![] }, r#"{"t":"fail","why":"no"}"#),
            (
                Outgoing::Fail { why: "no".into(), pairs: vec!["a > b".into()] },
                r#"{"t":"fail","why":"no","pairs":["a > b"]}"#,
            ),
        ];
        for (line, expected) in table {
            assert_eq!(line.to_line().unwrap(), expected);
        }
    }
}
