//! Connections of clients: TCP, or TLS over it. Each has a task, which reads into the server's queue and writes from its own.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use floe_sim::server::{FiveTuple, Transport};
use socket2::Type;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use super::log;
use super::turn::Input;
use super::udp::bound;

/// Connections that a listener has at once. One more is closed as soon as it is accepted.
const MAX_CONNECTIONS: usize = 1024;
/// Frames that wait to be written to one client. More are lost.
const MAX_FRAMES: usize = 256;
/// What is read at once: even if all of it are the smallest frames, what they bring about fits into the server's outputs.
const READ: usize = 8192;
/// How long a client may take for the handshake of TLS, and to read what is written to it.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a client without an allocation may be silent.
const IDLE: Duration = Duration::from_secs(60);
/// A pause after a failure to accept: too many open files do not become fewer by trying.
const AFTER_ERROR: Duration = Duration::from_millis(100);

/// Tells two connections with the same addresses apart.
pub(super) type Serial = u64;

/// What the server is told of a connection.
pub(super) struct StreamInput {
    pub(super) client: FiveTuple,
    pub(super) serial: Serial,
    pub(super) piece: Piece,
}

pub(super) enum Piece {
    /// It is there. What is sent here is written to it; it is closed when this is dropped.
    Opened(Sender<Vec<u8>>),
    Bytes(Vec<u8>),
    /// Nothing has come for a while.
    Idle,
    Closed,
}

/// Accepts connections in a task of its own, and gives the address that it listens on.
pub(super) fn listen(
    at: SocketAddr,
    tls: Option<TlsAcceptor>,
    queue: &Sender<Input>,
) -> io::Result<SocketAddr> {
    let socket = bound(at, Type::STREAM)?;
    socket.listen(128)?;
    let listener = TcpListener::from_std(socket.into())?;
    let local = listener.local_addr()?;
    tokio::spawn(accept(listener, local, tls, queue.clone()));
    Ok(local)
}

async fn accept(listener: TcpListener, server: SocketAddr, tls: Option<TlsAcceptor>, queue: Sender<Input>) {
    static SERIAL: AtomicU64 = AtomicU64::new(0);
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let transport = if tls.is_some() { Transport::Tls } else { Transport::Tcp };
    loop {
        let Ok((stream, client)) = listener.accept().await else {
            sleep(AFTER_ERROR).await;
            continue;
        };
        let Ok(permit) = room.clone().try_acquire_owned() else {
            let _told = log(format_args!("tcp {client}: closed, {MAX_CONNECTIONS} connections are open"));
            continue;
        };
        // A datagram in a stream should not wait for the next one.
        let _as_it_is = stream.set_nodelay(true);
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let connection =
            Connection { client: FiveTuple { transport, client, server }, serial, queue: queue.clone() };
        let tls = tls.clone();
        tokio::spawn(async move {
            connection.serve(stream, tls).await;
            drop(permit);
        });
    }
}

struct Connection {
    client: FiveTuple,
    serial: Serial,
    queue: Sender<Input>,
}

impl Connection {
    async fn serve(self, stream: TcpStream, tls: Option<TlsAcceptor>) {
        let Some(tls) = tls else { return self.converse(stream).await };
        let why = match timeout(PATIENCE, tls.accept(stream)).await {
            Ok(Ok(stream)) => return self.converse(stream).await,
            Ok(Err(error)) => error.to_string(),
            Err(_) => "the handshake takes too long".to_owned(),
        };
        let _told = log(format_args!("tls {}: closed, {why}", self.client.client));
    }

    async fn converse(self, stream: impl AsyncRead + AsyncWrite) {
        let (writer, frames) = mpsc::channel(MAX_FRAMES);
        if !self.tell(Piece::Opened(writer)).await {
            return;
        }
        let (input, output) = tokio::io::split(stream);
        let mut writing = pin!(write(output, frames));
        tokio::select! {
            () = self.read(input) => {
                // What has been answered is still written: the client may have closed its own direction only.
                self.tell(Piece::Closed).await;
                writing.await;
            }
            () = &mut writing => {
                self.tell(Piece::Closed).await;
            }
        }
    }

    /// Until the client's end, or an error.
    async fn read(&self, mut input: impl AsyncRead + Unpin) {
        let mut buffer = [0; READ];
        loop {
            let piece = match timeout(IDLE, input.read(&mut buffer)).await {
                Err(_) => Piece::Idle,
                Ok(Ok(0) | Err(_)) => return,
                Ok(Ok(length)) => Piece::Bytes(buffer.get(..length).unwrap_or_default().to_vec()),
            };
            if !self.tell(piece).await {
                return;
            }
        }
    }

    /// False if nobody is there any more.
    async fn tell(&self, piece: Piece) -> bool {
        let input = StreamInput { client: self.client, serial: self.serial, piece };
        self.queue.send(Input::Stream(input)).await.is_ok()
    }
}

/// Until the server closes, or the client has stopped reading.
async fn write(mut output: impl AsyncWrite + Unpin, mut frames: Receiver<Vec<u8>>) {
    while let Some(frame) = frames.recv().await {
        let written = async {
            output.write_all(&frame).await?;
            output.flush().await
        };
        if !matches!(timeout(PATIENCE, written).await, Ok(Ok(()))) {
            return;
        }
    }
    let _in_time = timeout(PATIENCE, output.shutdown()).await;
}
