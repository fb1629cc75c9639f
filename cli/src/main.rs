//! `floe`: watch ICE connect two agents on this machine, connect one agent through the terminal, see what candidates this
//! machine has, play NATs against each other, or serve STUN and TURN.

#![forbid(unsafe_code)]

mod args;
mod connect;
mod demo;
mod discover;
mod error;
mod gather;
mod millis;
mod nat;
mod paint;
mod population;
mod serve;
mod servers;
mod stats;

use std::process::ExitCode;

use args::{Cli, Command};
use clap::Parser;
use error::Error;

fn main() -> ExitCode {
    match run(&Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("floe: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: &Command) -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(Error::Runtime)?;
    match command {
        Command::Demo(demo) => runtime.block_on(demo::run(demo)),
        Command::Gather(gather) => runtime.block_on(gather::run(gather)),
        Command::Connect(connect) => runtime.block_on(connect::run(connect)),
        Command::Nat(args) => nat::run(args),
        Command::Serve(server) => runtime.block_on(serve::run(server)),
    }
}
