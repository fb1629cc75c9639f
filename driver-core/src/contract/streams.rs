//! Streams: what a runtime makes of TCP.

use std::future::poll_fn;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::task::{Context, Waker};

use super::tools::{LOOPBACK, Woken, both, within, yielding_until};
use crate::stream::connect;
use crate::{AsyncListener, AsyncStream, Runtime};

pub(super) fn listening() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind(LOOPBACK).unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Both ends of a connection, made by the runtime.
async fn pair<R: Runtime>(runtime: &R) -> (R::Stream, R::Stream) {
    let (listener, address) = listening();
    let mut listener = runtime.register_listener(listener).unwrap();
    assert_eq!(listener.local_addr().unwrap(), address);
    let mut ours = runtime.register_stream(connect(LOOPBACK, address).unwrap()).unwrap();
    let accept = poll_fn(|cx| listener.poll_accept(cx));
    let (connected, accepted) = within(runtime, both(poll_fn(|cx| ours.poll_connected(cx)), accept)).await;
    connected.unwrap();
    let (theirs, remote) = accepted.unwrap();
    assert_eq!((remote, theirs.local_addr().unwrap()), (ours.local_addr().unwrap(), address));
    (ours, theirs)
}

async fn read<R: Runtime>(runtime: &R, stream: &mut R::Stream, buffer: &mut [u8]) -> io::Result<usize> {
    within(runtime, poll_fn(|cx| stream.poll_read(cx, buffer))).await
}

/// Bytes go both ways in their order. Whoever waits for some, or for room, is woken; the end is told.
pub async fn streams_carry_bytes<R: Runtime>(runtime: &R) {
    let (mut ours, mut theirs) = pair(runtime).await;
    let (mut buffer, woken) = ([0; 4096], Arc::new(Woken::default()));
    let waker = Waker::from(Arc::clone(&woken));
    assert!(theirs.poll_read(&mut Context::from_waker(&waker), &mut buffer).is_pending());
    assert_eq!(within(runtime, poll_fn(|cx| ours.poll_write(cx, b"hello"))).await.unwrap(), 5);
    within(runtime, yielding_until(|| woken.is_set())).await;
    assert_eq!(read(runtime, &mut theirs, &mut buffer).await.unwrap(), 5);
    assert!(buffer.starts_with(b"hello"));

    // As much as fits on the way back, and then more.
    let (chunk, mut written) = ([7; 4096], 0);
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    while let std::task::Poll::Ready(some) = theirs.poll_write(&mut Context::from_waker(&waker), &chunk) {
        written += some.unwrap();
    }
    let mut seen = 0;
    while !woken.is_set() {
        let some = read(runtime, &mut ours, &mut buffer).await.unwrap();
        assert!(buffer.iter().take(some).all(|byte| *byte == 7));
        seen += some;
    }
    within(runtime, poll_fn(|cx| theirs.poll_shutdown(cx))).await.unwrap();
    loop {
        match read(runtime, &mut ours, &mut buffer).await.unwrap() {
            0 => break,
            some => seen += some,
        }
    }
    assert_eq!(seen, written);
    // The other direction is still open.
    within(runtime, poll_fn(|cx| ours.poll_write(cx, b"bye"))).await.unwrap();
    assert_eq!(read(runtime, &mut theirs, &mut buffer).await.unwrap(), 3);
    drop(ours);
    assert_eq!(read(runtime, &mut theirs, &mut buffer).await.unwrap(), 0);
}

/// Where nobody listens, that is the error, and no connection.
pub async fn streams_say_why_they_do_not_open<R: Runtime>(runtime: &R) {
    let (listener, address) = listening();
    drop(listener);
    let opened = match connect(LOOPBACK, address) {
        Ok(stream) => refused(runtime, stream).await,
        Err(error) => Err(error),
    };
    assert_eq!(opened.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
}

async fn refused<R: Runtime>(runtime: &R, stream: TcpStream) -> io::Result<()> {
    let mut stream = runtime.register_stream(stream)?;
    within(runtime, poll_fn(|cx| stream.poll_connected(cx))).await
}
