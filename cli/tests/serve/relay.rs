//! Sessions of all drivers, relayed by `floe serve turn` over UDP, TCP and TLS.

use floe_tokio::core::{CandidateFilter, ServerFault, StreamEnd};
use floe_tokio::{
    AgentConfig, CandidateType, Config, Event, IceServer, InterfacePolicy, Role, TlsRoots, TurnServer,
};

use crate::client::{PATIENCE, Server};
use crate::{TLS, TURN};

fn config(role: Role, local_filter: CandidateFilter) -> Config {
    Config {
        agent: AgentConfig { role, local_filter, ..Default::default() },
        interfaces: InterfacePolicy::loopback_only(),
        tls: TlsRoots::Pem(include_bytes!("tls/ca.pem").to_vec()),
        ..Default::default()
    }
}

fn ice_server(uri: &str) -> IceServer {
    IceServer::with_credentials(vec![uri.parse().expect("a URI")], "alice", "secret").expect("credentials")
}

/// Makes the tests for one driver.
macro_rules! on {
    ($module:ident, $($driver:ident)::+) => {
        mod $module {
            use super::*;

            /// The first that is told of the server: a relayed candidate, or what is wrong.
            async fn told(session: &$($driver)::+::Session) -> Result<(), ServerFault> {
                loop {
                    match session.next_event().await.expect("an event") {
                        Event::LocalCandidate { candidate, .. } if candidate.kind == CandidateType::Relayed => return Ok(()),
                        // A name may have a second address, where nobody listens.
                        Event::ServerError { fault: ServerFault::Stream(StreamEnd::Refused), .. } => {}
                        Event::ServerError { fault, .. } => return Err(fault),
                        _ => {}
                    }
                }
            }

            #[tokio::test]
            async fn data_goes_through_a_relay_whatever_leads_there() {
                let mut server = Server::start(&[&TURN[..], &TLS].concat(), 3);
                let [udp, tcp, tls] = [server.at[0], server.at[1], server.at[2]];
                for uri in [
                    format!("turn:{udp}"),
                    format!("turn:{tcp}?transport=tcp"),
                    format!("turns:localhost:{}", tls.port()),
                ] {
                    let config_of_left = Config {
                        servers: vec![ice_server(&uri)],
                        ..config(Role::Controlling, CandidateFilter::relay_only())
                    };
                    let left = $($driver)::+::bind(config_of_left).await.expect("bound");
                    let right = $($driver)::+::bind(config(Role::Controlled, CandidateFilter::default())).await.expect("bound");
                    told(&left).await.expect(&uri);
                    left.set_remote_description(&right.local_description()).expect("taken");
                    right.set_remote_description(&left.local_description()).expect("taken");
                    let (here, there) = tokio::try_join!(left.connect(), right.connect()).expect("a path");
                    // Far more than waits at once. Datagrams may be lost, and streams lose none, so that each is awaited.
                    for number in 0..300_u32 {
                        let payload = [&number.to_be_bytes()[..], &[7; 1000]].concat();
                        here.send(&payload).await.expect("sent");
                        assert_eq!(there.recv().await.expect("heard"), payload);
                        there.send(&payload).await.expect("sent");
                        assert_eq!(here.recv().await.expect("heard"), payload);
                    }
                    // More than a stream takes at once: whoever sends waits for room, and no longer.
                    let burst = async {
                        for _ in 0..200 {
                            here.send(&[8; 1000]).await.expect("sent");
                        }
                    };
                    tokio::time::timeout(PATIENCE, burst).await.expect("room");
                    assert_eq!(here.path().expect("a path").local_type, CandidateType::Relayed);
                    here.close().await;
                    while !server.line().contains("release of") {}
                }
            }

            #[tokio::test]
            async fn a_certificate_that_is_not_trusted_is_an_error() {
                let server = Server::start(&[&TURN[..], &TLS].concat(), 3);
                let relay = || config(Role::Controlling, CandidateFilter::relay_only());
                let of_the_system = Config { tls: TlsRoots::System, ..relay() };
                for (config, name) in [(relay(), "example.org"), (of_the_system, "localhost")] {
                    let session = $($driver)::+::bind(config).await.expect("bound");
                    session.add_turn_server(TurnServer::tls(server.at[2], name, "alice", "secret")).expect("a server");
                    assert_eq!(told(&session).await, Err(ServerFault::Stream(StreamEnd::Certificate)), "{name}");
                }
            }
        }
    };
}

on!(tokio_driver, floe_tokio);
on!(async_std_driver, floe_async_std);
on!(smol_driver, floe_async_std::smol);

#[tokio::test]
async fn a_server_that_cannot_be_asked_is_refused_when_bound() {
    let servers = vec![ice_server("turns:localhost?transport=udp")];
    let bound = floe_tokio::bind(Config { servers, ..Default::default() }).await;
    let error = bound.expect_err("TURN over DTLS").to_string();
    assert!(error.starts_with("a server cannot be used: turns:localhost"), "{error}");
}

#[tokio::test]
async fn authorities_that_are_none_are_refused_when_bound() {
    for pem in ["", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        let tls = TlsRoots::Pem(pem.into());
        let bound = floe_tokio::bind(Config { tls, ..Default::default() }).await;
        let error = bound.expect_err("none is trusted").to_string();
        assert!(error.starts_with("the certificates to trust cannot be used: "), "{error}");
    }
}
