//! `floe serve`: the simulator's STUN and TURN servers on real sockets. They decide; here are sockets, the clock and the log.
//!
//! `stun` and `turn` own a server each, in one task; `udp` and `streams` carry what comes to it and what leaves it.

mod streams;
mod stun;
mod tls;
mod turn;
mod udp;

pub(crate) use turn::Turn;

use std::fmt;
use std::future::Future;
use std::io::{self, Write};
use std::net::SocketAddr;

use crate::args::Serve;
use crate::error::Error;

/// What comes in and has not been looked at yet. Beyond it, datagrams wait in the sockets, and streams are not read.
const MAX_WAITING: usize = 256;
/// What the servers call themselves.
const SOFTWARE: &str = concat!("floe ", env!("CARGO_PKG_VERSION"));

/// Serves until it is interrupted.
pub(crate) async fn run(args: &Serve) -> Result<(), Error> {
    let stop = stop_signal()?;
    match args {
        Serve::Stun(args) => stun::run(args, stop).await,
        Serve::Turn(args) => turn::run(args, stop).await,
    }
}

/// Ctrl-C, or what a service manager ends a program with.
#[cfg(unix)]
fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Ctrl-C.
#[cfg(not(unix))]
fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    Ok(async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
    })
}

/// One line of the log, which is standard output.
fn log(line: fmt::Arguments<'_>) -> io::Result<()> {
    writeln!(io::stdout(), "{line}")
}

/// Says where something can be reached.
fn log_listening(transport: &str, at: SocketAddr) -> io::Result<()> {
    log(format_args!("listening on {transport} {at}"))
}

fn cannot_listen(transport: &'static str, at: SocketAddr) -> impl FnOnce(io::Error) -> Error {
    move |error| Error::Listen { transport, at, error }
}
