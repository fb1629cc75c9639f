//! `stun:`, `stuns:`, `turn:` and `turns:` (RFC 7064 §3.1, RFC 7065 §3.1).

use alloc::string::String;
use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::str::FromStr;

use crate::candidate::{Token, Transport};

/// The port of `stun:` and `turn:` (RFC 7064 §3.2, RFC 7065 §3.2).
pub const DEFAULT_PORT: u16 = 3478;

/// The port of `stuns:` and `turns:`.
pub const DEFAULT_TLS_PORT: u16 = 5349;

/// The longest name (RFC 1035 §2.3.4, as text), and the longest part of one between dots.
const MAX_NAME: usize = 253;
const MAX_LABEL: usize = 63;

/// Where a server is, and how it is spoken to.
///
/// It is parsed from its URI, and displayed as one. Scheme and transport are read without case and written in small
/// letters; a port, and a transport, that was not told is not written.
///
/// ```
/// use floe_core::candidate::Transport;
/// use floe_core::server::ServerUri;
///
/// let relay: ServerUri = "turns:turn.example.org?transport=tcp".parse()?;
/// assert_eq!((relay.port(), relay.transport(), relay.scheme().is_secure()), (5349, Transport::Tcp, true));
/// assert_eq!(relay.to_string(), "turns:turn.example.org?transport=tcp");
///
/// let error = "turn:turn.example.org:99999".parse::<ServerUri>().unwrap_err();
/// assert_eq!(error.to_string(), "bad port in the URI: \"99999\"");
/// # Ok::<(), floe_core::server::UriError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ServerUri {
    scheme: ServerScheme,
    host: ServerHost,
    port: Option<u16>,
    transport: Option<Transport>,
}

/// What a server does, and whether over TLS (RFC 7064 §3.2, RFC 7065 §3.2).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ServerScheme {
    /// STUN.
    Stun,
    /// STUN over TLS, or DTLS.
    Stuns,
    /// TURN.
    Turn,
    /// TURN over TLS, or DTLS.
    Turns,
}

/// A server's address or name.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum ServerHost {
    /// An address.
    Ip(IpAddr),
    /// A name of DNS: at most 253 letters, digits, `-`, `_` and dots, as they were written.
    Name(String),
}

impl ServerUri {
    /// STUN or TURN, with TLS or without.
    pub const fn scheme(&self) -> ServerScheme {
        self.scheme
    }

    /// The address, or the name that has to be resolved.
    pub const fn host(&self) -> &ServerHost {
        &self.host
    }

    /// The port: the one that was told, or else the default of the scheme.
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(self.scheme.default_port())
    }

    /// The port that was told. Without one, DNS may know another than the default (RFC 8489 §8, RFC 8656 §4).
    pub const fn explicit_port(&self) -> Option<u16> {
        self.port
    }

    /// What carries the messages: what was told, or else datagrams, and for the schemes of TLS a stream.
    pub fn transport(&self) -> Transport {
        let default = if self.scheme.is_secure() { Transport::Tcp } else { Transport::Udp };
        self.transport.unwrap_or(default)
    }

    /// The transport that was told. Without one, others may be tried as well (RFC 7065 §3.1).
    pub const fn explicit_transport(&self) -> Option<Transport> {
        self.transport
    }
}

impl ServerScheme {
    const ALL: [Self; 4] = [Self::Stun, Self::Stuns, Self::Turn, Self::Turns];

    /// `stun`, `stuns`, `turn` or `turns`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stun => "stun",
            Self::Stuns => "stuns",
            Self::Turn => "turn",
            Self::Turns => "turns",
        }
    }

    /// Whether it relays.
    pub const fn is_turn(self) -> bool {
        matches!(self, Self::Turn | Self::Turns)
    }

    /// Whether it is over TLS or DTLS.
    pub const fn is_secure(self) -> bool {
        matches!(self, Self::Stuns | Self::Turns)
    }

    /// 3478, or 5349 for the schemes of TLS.
    pub const fn default_port(self) -> u16 {
        if self.is_secure() { DEFAULT_TLS_PORT } else { DEFAULT_PORT }
    }
}

impl FromStr for ServerUri {
    type Err = UriError;

    /// Reads a URI. These are not hierarchical: no `//`, no user, no path (RFC 7064 §3.1).
    fn from_str(text: &str) -> Result<Self, UriError> {
        let (name, rest) = text.split_once(':').ok_or(UriError::UnknownScheme(Token::new(text)))?;
        let scheme = ServerScheme::ALL.into_iter().find(|scheme| scheme.name().eq_ignore_ascii_case(name));
        let scheme = scheme.ok_or(UriError::UnknownScheme(Token::new(name)))?;
        let (location, query) = match rest.split_once('?') {
            Some((location, query)) => (location, Some(query)),
            None => (rest, None),
        };
        let (host, port) = split_location(location)?;
        let transport = match query {
            None => None,
            Some(query) if scheme.is_turn() => Some(parse_query(query)?),
            Some(query) => return Err(UriError::Unexpected(Token::new(query))),
        };
        Ok(Self { scheme, host, port: port.map_or(Ok(None), parse_port)?, transport })
    }
}

impl fmt::Display for ServerUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.scheme.name(), self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        match self.transport {
            None => Ok(()),
            Some(transport) => write!(f, "?{TRANSPORT}{}", transport_name(transport)),
        }
    }
}

impl fmt::Display for ServerHost {
    /// An IPv6 address stands in brackets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(IpAddr::V4(ip)) => write!(f, "{ip}"),
            Self::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// The host, and what stands behind the colon after it.
fn split_location(location: &str) -> Result<(ServerHost, Option<&str>), UriError> {
    let malformed = |text| UriError::Malformed(UriPart::Host, Token::new(text));
    if let Some(inner) = location.strip_prefix('[') {
        let (address, rest) = inner.split_once(']').ok_or(malformed(location))?;
        // RFC 3986 §3.2.2. A zone would mean something on one host only.
        let address: Ipv6Addr = address.parse().map_err(|_| malformed(address))?;
        let port = match rest.strip_prefix(':') {
            None if !rest.is_empty() => return Err(malformed(location)),
            port => port,
        };
        return Ok((ServerHost::Ip(address.into()), port));
    }
    let (host, port) = match location.split_once(':') {
        // An IPv6 address without brackets: its last part would be taken for a port.
        Some((_, port)) if port.contains(':') => return Err(malformed(location)),
        Some((host, port)) => (host, Some(port)),
        None => (location, None),
    };
    Ok((parse_host(host)?, port))
}

fn parse_host(host: &str) -> Result<ServerHost, UriError> {
    if host.is_empty() {
        return Err(UriError::Missing(UriPart::Host));
    }
    if let Ok(ip) = host.parse::<Ipv4Addr>() {
        return Ok(ServerHost::Ip(ip.into()));
    }
    let is_label = |label: &str| {
        let is_of_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        (1..=MAX_LABEL).contains(&label.len()) && label.bytes().all(is_of_name)
    };
    let labels = || host.strip_suffix('.').unwrap_or(host).split('.');
    // No top-level domain is a number: this is an IPv4 address gone wrong.
    let is_number = labels().next_back().is_some_and(|label| label.bytes().all(|byte| byte.is_ascii_digit()));
    if host.len() <= MAX_NAME && labels().all(is_label) && !is_number {
        Ok(ServerHost::Name(host.into()))
    } else {
        Err(UriError::Malformed(UriPart::Host, Token::new(host)))
    }
}

/// RFC 3986 §3.2.3: nothing behind the colon is no port.
fn parse_port(port: &str) -> Result<Option<u16>, UriError> {
    if port.is_empty() {
        return Ok(None);
    }
    // The digits are looked at because the standard library's parser would take a sign, too.
    let is_number = port.bytes().all(|byte| byte.is_ascii_digit());
    let number = port.parse().ok().filter(|number| is_number && *number != 0);
    number.map(Some).ok_or(UriError::Malformed(UriPart::Port, Token::new(port)))
}

/// RFC 7065 §3.1.
fn parse_query(query: &str) -> Result<Transport, UriError> {
    let (name, value) = query.split_at_checked(TRANSPORT.len()).unwrap_or((query, ""));
    if !name.eq_ignore_ascii_case(TRANSPORT) {
        return Err(UriError::Unexpected(Token::new(query)));
    }
    if value.is_empty() {
        return Err(UriError::Missing(UriPart::Transport));
    }
    let known = [Transport::Udp, Transport::Tcp];
    let known = known.into_iter().find(|known| transport_name(*known).eq_ignore_ascii_case(value));
    let is_unreserved = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    known.ok_or_else(|| match value.bytes().all(is_unreserved) {
        true => UriError::UnknownTransport(Token::new(value)),
        false => UriError::Malformed(UriPart::Transport, Token::new(value)),
    })
}

const TRANSPORT: &str = "transport=";

fn transport_name(transport: Transport) -> &'static str {
    match transport {
        Transport::Udp => "udp",
        Transport::Tcp => "tcp",
    }
}

/// What is wrong with a server's URI, and what stood there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum UriError {
    /// This is not `stun`, `stuns`, `turn` or `turns`, or no scheme at all.
    UnknownScheme(Token),
    /// The URI ends where this part should stand.
    Missing(UriPart),
    /// This is not what the grammar allows there.
    Malformed(UriPart, Token),
    /// A well-formed transport other than `udp` and `tcp` (RFC 7065 §3.1).
    UnknownTransport(Token),
    /// This query is not `transport=`, or stands behind a scheme that has none (RFC 7064 §3.1).
    Unexpected(Token),
}

/// A part of a server's URI.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum UriPart {
    /// A name, an IPv4 address, or an IPv6 address in brackets.
    Host,
    /// 1 to 65535.
    Port,
    /// What follows `?transport=`.
    Transport,
}

impl fmt::Display for UriPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Host => "host",
            Self::Port => "port",
            Self::Transport => "transport",
        })
    }
}

impl fmt::Display for UriError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownScheme(token) => write!(f, "not the URI of a STUN or TURN server: {token:?}"),
            Self::Missing(part) => write!(f, "the URI has no {part}"),
            Self::Malformed(part, token) => write!(f, "bad {part} in the URI: {token:?}"),
            Self::UnknownTransport(token) => write!(f, "unknown transport in the URI: {token:?}"),
            Self::Unexpected(token) => write!(f, "the URI cannot have the query {token:?}"),
        }
    }
}

impl core::error::Error for UriError {}
