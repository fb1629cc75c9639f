//! Servers that have names for addresses: each name is asked for once, through the application's resolver, and the servers of that name
//! are asked when it is known what it stands for.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

use super::resolve::{Query, QueryId, ResolveError};
use super::{Agent, Event, Life};
use crate::base::Instant;
use crate::candidate::{Token, Transport, is_transport_address};
use crate::gather::{MAX_STUN_SERVERS, MAX_TURN_SERVERS, ServerError, TurnServer, TurnTransport};
use crate::server::{IceServer, ServerHost, ServerScheme, ServerUri};

/// How many names of servers an agent asks for: no more than it could use.
pub const MAX_SERVER_NAMES: usize = MAX_STUN_SERVERS + MAX_TURN_SERVERS;

/// At most [`MAX_SERVER_NAMES`].
#[derive(Debug, Default)]
pub(super) struct ServerNames {
    names: Vec<Named>,
    /// How many queries there were.
    asked: u32,
}

#[derive(Debug)]
struct Named {
    name: String,
    /// The query, if the application has it.
    query: Option<QueryId>,
    /// Those to be asked at that name. Bounded by how many servers an agent takes.
    servers: Vec<Pending>,
}

/// A server but for its address.
#[derive(Clone, Debug)]
enum Pending {
    Stun { port: u16 },
    Turn { port: u16, transport: TurnTransport, username: String, password: String },
}

impl ServerNames {
    fn add(&mut self, name: &str, server: Pending) -> Result<(), ServerError> {
        let waiting: usize = self.names.iter().map(|n| n.servers.len()).sum();
        if waiting >= MAX_SERVER_NAMES {
            return Err(ServerError::TooMany);
        }
        let same = |n: &&mut Named| n.name.eq_ignore_ascii_case(name);
        if let Some(known) = self.names.iter_mut().find(same) {
            known.servers.push(server);
            return Ok(());
        }
        self.names.push(Named { name: name.into(), query: None, servers: [server].into() });
        Ok(())
    }

    pub(super) fn poll(&mut self) -> Option<Query> {
        let named = self.names.iter_mut().find(|n| n.query.is_none())?;
        let id = QueryId(FIRST_QUERY | self.asked);
        self.asked = self.asked.wrapping_add(1) % FIRST_QUERY;
        named.query = Some(id);
        Some(Query { id, name: named.name.clone() })
    }

    fn answer(&mut self, id: QueryId) -> Option<(String, Vec<Pending>)> {
        let index = self.names.iter().position(|n| n.query == Some(id))?;
        let named = self.names.remove(index);
        Some((named.name, named.servers))
    }

    /// Whether an answer is to come.
    pub(super) fn wait(&self) -> bool {
        !self.names.is_empty()
    }
}

/// Queries for servers are numbered from here on; those for candidates never come so far.
const FIRST_QUERY: u32 = 1 << 31;

impl QueryId {
    /// Whether it is for a server.
    pub(super) const fn is_of_server(self) -> bool {
        self.0 >= FIRST_QUERY
    }
}

impl Agent {
    /// Asks the servers of one entry of `iceServers`, each URI for itself: `stun:` as [`add_stun_server`](Self::add_stun_server) does,
    /// `turn:` and `turns:` as [`add_turn_server`](Self::add_turn_server). What has a name for an address is asked for by
    /// [`Output::Resolve`](super::Output::Resolve), and then at one address of each family.
    ///
    /// # Errors
    /// If one of them cannot be a server of this agent's, and then none is asked: `stuns:` and `turns:` over UDP (DTLS) are not
    /// supported. Or if there are too many, or the agent is lite or has ended.
    pub fn add_ice_server(&mut self, now: Instant, server: &IceServer) -> Result<(), ServerError> {
        self.advance(now);
        if self.life != Life::Running {
            return Err(ServerError::Ended);
        }
        if self.generations.current.checks.is_lite() {
            return Err(ServerError::HostOnly);
        }
        let pending = server.urls().iter().map(|uri| Ok((uri, pending(server, uri)?)));
        let pending: Vec<(&ServerUri, Pending)> = pending.collect::<Result<_, ServerError>>()?;
        for (uri, server) in pending {
            match uri.host() {
                ServerHost::Ip(ip) => self.ask_at(*ip, None, server)?,
                ServerHost::Name(name) => {
                    self.server_names.add(name, server)?;
                    self.gatherer.inquiries.on_wait(self.now);
                }
            }
        }
        Ok(())
    }

    fn ask_at(&mut self, ip: IpAddr, origin: Option<&str>, server: Pending) -> Result<(), ServerError> {
        match server {
            Pending::Stun { port } => self.add_stun_server(self.now, SocketAddr::new(ip, port)),
            Pending::Turn { port, transport, username, password } => {
                let address = SocketAddr::new(ip, port);
                let mut server = TurnServer::new(address, transport, username, password);
                server.origin = origin.map(|name| format!("{name}:{port}").to_ascii_lowercase());
                self.add_turn_server(self.now, server)
            }
        }
    }

    /// The answer to a query for a server: the first address of each family is asked.
    pub(super) fn server_resolved(
        &mut self,
        query: QueryId,
        addresses: &[IpAddr],
    ) -> Result<(), ResolveError> {
        let (name, servers) = self.server_names.answer(query).ok_or(ResolveError::UnknownQuery(query))?;
        let first = |v4: bool| {
            let addresses = addresses.iter().map(IpAddr::to_canonical);
            let mut usable = addresses.filter(|ip| is_transport_address(SocketAddr::new(*ip, 1)));
            usable.find(|ip| ip.is_ipv4() == v4)
        };
        let found = [first(false), first(true)];
        if found == [None, None] {
            self.events.push_back(Event::ServerUnresolved { name: name.clone() });
        }
        for ip in found.into_iter().flatten() {
            for server in &servers {
                // One too many is not asked: those that came first are.
                let _ = self.ask_at(ip, Some(&name), server.clone());
            }
        }
        self.end_gathering();
        Ok(())
    }
}

fn pending(server: &IceServer, uri: &ServerUri) -> Result<Pending, ServerError> {
    let port = uri.port();
    let unsupported = || ServerError::Unsupported(Token::new(&uri.to_string()));
    let transport = match (uri.scheme(), uri.transport()) {
        (ServerScheme::Stun, Transport::Udp) => return Ok(Pending::Stun { port }),
        (ServerScheme::Turn, Transport::Udp) => TurnTransport::Udp,
        (ServerScheme::Turn, Transport::Tcp) => TurnTransport::Tcp,
        (ServerScheme::Turns, Transport::Tcp) => TurnTransport::Tls {
            name: match uri.host() {
                ServerHost::Ip(ip) => ip.to_string(),
                ServerHost::Name(name) => name.clone(),
            },
        },
        _ => return Err(unsupported()),
    };
    let (username, password) = server.credentials().ok_or_else(unsupported)?;
    Ok(Pending::Turn { port, transport, username: username.into(), password: password.into() })
}
