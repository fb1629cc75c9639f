//! TLS by rustls, driven by hand over [`AsyncStream`]'s functions, so that it is written once for all runtimes.

use std::io::{Read, Write};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use floe_core::StreamEnd;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};

use super::wire::{Failure, Pipe};
use crate::{AsyncStream, BindError, TlsRoots};

/// How much rustls keeps that is to be written: about one record, since what has left us counts as written.
const BUFFER: usize = 16 * 1024;

/// Whose certificates are good.
pub(crate) struct Trust(Option<Arc<ClientConfig>>);

impl Trust {
    /// The system's authorities are read when the first stream wants them, which takes some milliseconds, once for the process.
    pub(crate) fn new(roots: &TlsRoots) -> Result<Self, BindError> {
        let TlsRoots::Pem(pem) = roots else { return Ok(Self(None)) };
        let mut store = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|error| BindError::TlsRoots(error.to_string()))?;
            store.add(certificate).map_err(|error| BindError::TlsRoots(error.to_string()))?;
        }
        if store.is_empty() {
            return Err(BindError::TlsRoots("there is no certificate in it".to_owned()));
        }
        config(store).map(|config| Self(Some(config))).map_err(BindError::TlsRoots)
    }

    /// A session with a server that has a certificate for `name`.
    pub(super) fn session(&self, name: &str) -> Result<Session, Failure> {
        let config = match &self.0 {
            Some(config) => Arc::clone(config),
            None => system().map_err(|why| Failure::new(StreamEnd::Tls, why))?,
        };
        let name = ServerName::try_from(name.to_owned());
        let name = name.map_err(|error| Failure::new(StreamEnd::Certificate, error))?;
        let mut session = ClientConnection::new(config, name)?;
        session.set_buffer_limit(Some(BUFFER));
        Ok(Session(session))
    }
}

/// The authorities that the system trusts.
fn system() -> Result<Arc<ClientConfig>, String> {
    static SYSTEM: OnceLock<Result<Arc<ClientConfig>, String>> = OnceLock::new();
    let load = || {
        let found = rustls_native_certs::load_native_certs();
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(found.certs);
        if store.is_empty() {
            let errors: Vec<String> = found.errors.iter().map(ToString::to_string).collect();
            return Err(format!("the system tells of no authority to trust: {}", errors.join("; ")));
        }
        config(store)
    };
    SYSTEM.get_or_init(load).clone()
}

fn config(roots: RootCertStore) -> Result<Arc<ClientConfig>, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| error.to_string())?;
    Ok(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
}

/// A client's side of TLS.
pub(super) struct Session(ClientConnection);

impl Session {
    pub(super) fn poll_handshake<S: AsyncStream>(
        &mut self,
        io: &mut S,
        cx: &mut Context<'_>,
    ) -> Result<Poll<()>, Failure> {
        loop {
            let flushed = self.poll_flush(io, cx)?;
            if !self.0.is_handshaking() {
                return Ok(flushed);
            }
            match self.poll_fill(io, cx)? {
                Poll::Pending => return Ok(Poll::Pending),
                Poll::Ready(0) => {
                    return Err(Failure::new(
                        StreamEnd::Tls,
                        "the other side has closed it during the handshake",
                    ));
                }
                Poll::Ready(_) => {}
            }
        }
    }

    /// Reads what is inside. An end that the other side has not signed is an error, since anybody can make it.
    pub(super) fn poll_read<S: AsyncStream>(
        &mut self,
        io: &mut S,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Result<Poll<usize>, Failure> {
        loop {
            match self.0.reader().read(buffer) {
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                result => return Ok(Poll::Ready(result?)),
            }
            if self.poll_fill(io, cx)?.is_pending() {
                return Ok(Poll::Pending);
            }
        }
    }

    pub(super) fn poll_write<S: AsyncStream>(
        &mut self,
        io: &mut S,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Result<Poll<usize>, Failure> {
        loop {
            let taken = self.0.writer().write(bytes)?;
            let flushed = self.poll_flush(io, cx)?;
            if taken > 0 {
                return Ok(Poll::Ready(taken));
            }
            if flushed.is_pending() {
                return Ok(Poll::Pending);
            }
        }
    }

    /// Ready when the socket has taken all that there is for it.
    pub(super) fn poll_flush<S: AsyncStream>(
        &mut self,
        io: &mut S,
        cx: &mut Context<'_>,
    ) -> Result<Poll<()>, Failure> {
        while self.0.wants_write() {
            match self.0.write_tls(&mut Pipe { io, cx }) {
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return Ok(Poll::Pending),
                Ok(0) => return Err(Failure::new(StreamEnd::Reset, "it takes no bytes")),
                result => result?,
            };
        }
        Ok(Poll::Ready(()))
    }

    /// Nothing more is written (RFC 8446 §6.1).
    pub(super) fn close(&mut self) {
        self.0.send_close_notify();
    }

    /// Reads what is for TLS itself.
    fn poll_fill<S: AsyncStream>(
        &mut self,
        io: &mut S,
        cx: &mut Context<'_>,
    ) -> Result<Poll<usize>, Failure> {
        let length = match self.0.read_tls(&mut Pipe { io, cx }) {
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return Ok(Poll::Pending),
            result => result?,
        };
        if let Err(error) = self.0.process_new_packets() {
            // The other side is told why, if it takes it at once.
            let _alert = self.poll_flush(io, cx);
            return Err(error.into());
        }
        Ok(Poll::Ready(length))
    }
}

impl From<rustls::Error> for Failure {
    fn from(error: rustls::Error) -> Self {
        let end = match error {
            rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented => {
                StreamEnd::Certificate
            }
            _ => StreamEnd::Tls,
        };
        Self::new(end, error)
    }
}
