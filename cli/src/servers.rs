//! The servers that a command is given: `--stun` and `--turn`, as an address with a port, or as a URI.

use std::path::{Path, PathBuf};

use clap::Args;
use floe_core::server::{IceServer, ServerUri};
use floe_driver::TlsRoots;

use crate::error::Error;

/// Which servers are asked.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Servers {
    /// Ask this STUN server how this machine is seen from outside. May be repeated
    #[arg(long, value_name = "HOST:PORT|URI", value_parser = stun)]
    pub(crate) stun: Vec<IceServer>,

    /// Have this TURN server relay for us, over UDP unless told otherwise. May be repeated
    #[arg(long, value_name = "HOST:PORT|URI,USER,PASSWORD[,udp|tcp|tls]", value_parser = turn)]
    pub(crate) turn: Vec<IceServer>,

    /// Trust the authorities whose certificates are in this PEM file, and no others, where a server is asked over TLS
    #[arg(long, value_name = "FILE")]
    pub(crate) tls_ca: Option<PathBuf>,
}

impl Servers {
    /// All of them, STUN first.
    pub(crate) fn all(&self) -> Vec<IceServer> {
        self.stun.iter().chain(&self.turn).cloned().collect()
    }

    /// Whose certificates are trusted.
    pub(crate) fn roots(&self) -> Result<TlsRoots, Error> {
        self.tls_ca.as_deref().map_or(Ok(TlsRoots::System), read)
    }
}

fn read(file: &Path) -> Result<TlsRoots, Error> {
    let pem = std::fs::read(file);
    pem.map(TlsRoots::Pem).map_err(|error| Error::Pem { file: file.to_owned(), why: error.to_string() })
}

fn stun(text: &str) -> Result<IceServer, String> {
    let uri = uri(text, "stun:", "")?;
    IceServer::new(vec![uri]).map_err(|error| error.to_string())
}

/// A URI tells its transport itself; what stands behind a password that ends so is taken for one otherwise.
fn turn(text: &str) -> Result<IceServer, String> {
    let mut parts = text.splitn(3, ',');
    let (Some(server), Some(user), Some(rest)) = (parts.next(), parts.next(), parts.next()) else {
        return Err("must be a server, a user and a password with commas between".to_owned());
    };
    let is_uri = has_scheme(server);
    let (password, transport) = match rest.rsplit_once(',') {
        Some((password, transport @ ("udp" | "tcp" | "tls"))) if !is_uri => (password, transport),
        _ => (rest, "udp"),
    };
    let uri = match transport {
        "tcp" => uri(server, "turn:", "?transport=tcp")?,
        "tls" => uri(server, "turns:", "?transport=tcp")?,
        _ => uri(server, "turn:", "")?,
    };
    IceServer::with_credentials(vec![uri], user, password).map_err(|error| error.to_string())
}

fn uri(text: &str, scheme: &str, query: &str) -> Result<ServerUri, String> {
    let text = if has_scheme(text) { text.to_owned() } else { format!("{scheme}{text}{query}") };
    text.parse().map_err(|error: floe_core::server::UriError| error.to_string())
}

fn has_scheme(text: &str) -> bool {
    let scheme = text.split_once(':').map(|(scheme, _)| scheme.to_ascii_lowercase());
    scheme.is_some_and(|scheme| matches!(scheme.as_str(), "stun" | "stuns" | "turn" | "turns"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(server: &IceServer) -> String {
        server.urls().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn servers_are_told_as_addresses_and_as_uris() {
        for (text, expected) in [
            ("192.0.2.1:3478", "stun:192.0.2.1:3478"),
            ("[2001:db8::1]:3478", "stun:[2001:db8::1]:3478"),
            ("stun.example.org", "stun:stun.example.org"),
            ("stun:stun.example.org:3479", "stun:stun.example.org:3479"),
        ] {
            assert_eq!(shown(&stun(text).unwrap()), expected);
        }
        for (text, expected, password) in [
            ("192.0.2.1:3478,user,secret", "turn:192.0.2.1:3478", "secret"),
            ("192.0.2.1:3478,user,secret,udp", "turn:192.0.2.1:3478", "secret"),
            ("192.0.2.1:3478,user,se,cret,tcp", "turn:192.0.2.1:3478?transport=tcp", "se,cret"),
            ("a.example:443,user,secret,tls", "turns:a.example:443?transport=tcp", "secret"),
            ("turn:a.example?transport=tcp,user,secret,tls", "turn:a.example?transport=tcp", "secret,tls"),
        ] {
            let server = turn(text).unwrap();
            assert_eq!((shown(&server).as_str(), server.credentials()), (expected, Some(("user", password))));
        }
    }

    #[test]
    fn what_is_wrong_with_a_server_is_told() {
        for (error, expected) in [
            (stun("192.0.2.1:99999"), "bad port"),
            (stun("turn:a.example"), "needs a username"),
            (turn("a.example,user"), "must be a server, a user and a password"),
            (turn("a.example,,secret"), "the username has 0 bytes"),
            (turn("exa mple,user,secret"), "bad host"),
        ] {
            let error = error.unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
