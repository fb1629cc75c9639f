//! What ends the program with a failure, each in one line of words.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::population::MixFileError;
use floe_sim::server::TurnConfigError;
use floe_tokio::{BindError, ConnectError, RecvError, Report, SendError};

#[derive(thiserror::Error, Debug)]
pub(crate) enum Error {
    #[error("cannot start the runtime: {0}")]
    Runtime(io::Error),
    #[error("cannot use the network: {0}")]
    Bind(#[from] BindError),
    #[error("cannot write to standard output: {0}")]
    Output(#[from] io::Error),
    #[error("cannot write JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// Why, in words.
    #[error("no connection: {0}")]
    NoConnection(String),
    #[error("cannot send over the path: {0}")]
    Send(#[from] SendError),
    #[error("cannot receive over the path: {}", one_line(.0))]
    Receive(#[from] RecvError),
    #[error("the demo did not go well: see above")]
    NotWell,
    #[error("an agent's task has ended early: {0}")]
    Task(#[from] tokio::task::JoinError),
    #[error("cannot listen on {transport} {at}: {error}")]
    Listen { transport: &'static str, at: SocketAddr, error: io::Error },
    #[error(
        "the other address needs another IP address and another port, of the same family (RFC 5780 section 6)"
    )]
    NotApart,
    #[error("cannot serve: {0}")]
    Serve(#[from] TurnConfigError),
    #[error(transparent)]
    Mix(#[from] MixFileError),
    #[error("cannot draw {}: {why}", file.display())]
    Plot { file: PathBuf, why: String },
    #[error("cannot write {}: {error}", file.display())]
    File { file: PathBuf, error: io::Error },
    #[error("cannot use {}: {why}", file.display())]
    Pem { file: PathBuf, why: String },
}

impl From<ConnectError> for Error {
    fn from(error: ConnectError) -> Self {
        Self::NoConnection(match error {
            ConnectError::Failed(report) => causes(&report),
            other => other.to_string(),
        })
    }
}

/// Why there is no path, as the engine sees it.
pub(crate) fn causes(report: &Report) -> String {
    let causes: Vec<String> = report.causes.iter().map(ToString::to_string).collect();
    if causes.is_empty() { "the engine knows no reason".to_owned() } else { causes.join("; ") }
}

fn one_line(error: &RecvError) -> String {
    match error {
        RecvError::Failed(report) => causes(report),
        other => other.to_string(),
    }
}
