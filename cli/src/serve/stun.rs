//! `floe serve stun`: tells everybody their address, and with a second address of its own what NAT they are behind (RFC 5780).

use std::future::Future;
use std::pin::pin;

use floe_sim::server::StunServer;
use tokio::sync::mpsc;

use super::udp::{Datagram, Sockets};
use super::{MAX_WAITING, cannot_listen, log, log_listening};
use crate::args::ServeStun;
use crate::error::Error;

pub(super) async fn run(args: &ServeStun, stop: impl Future<Output = ()>) -> Result<(), Error> {
    let (sender, mut queue) = mpsc::channel::<Datagram>(MAX_WAITING);
    let mut sockets = Sockets::new(sender, |datagram| datagram);
    let mut bound = Vec::new();
    for at in args.listen.iter().chain(&args.other) {
        bound.push(sockets.bind(*at).map_err(cannot_listen("udp", *at))?);
    }
    let server = match (bound.first(), args.other.and(bound.last())) {
        (Some(main), Some(other)) => StunServer::with_other(*main, *other).ok_or(Error::NotApart)?,
        _ => StunServer::new(),
    };
    // The main address at the other port, and the other address at the main port.
    for at in server.sockets() {
        if !sockets.has(at) {
            bound.push(sockets.bind(at).map_err(cannot_listen("udp", at))?);
        }
    }
    for at in bound {
        log_listening("udp", at)?;
    }
    let mut server = server.with_software(super::SOFTWARE);
    server.answer_other_ports(args.response_port);
    let mut stop = pin!(stop);
    loop {
        let datagram = tokio::select! {
            biased;
            () = &mut stop => break,
            datagram = queue.recv() => datagram,
        };
        let Some(Datagram { local, remote, bytes }) = datagram else { break };
        if let Some(reply) = server.receive(local, remote, &bytes) {
            sockets.send(reply.from, reply.to, &reply.bytes);
            log(format_args!("udp {remote}: answer from {}", reply.from))?;
        }
    }
    let counts = server.counts();
    Ok(log(format_args!("ended: {} requests, {} other datagrams", counts.requests, counts.dropped))?)
}
