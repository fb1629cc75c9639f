//! TCP sockets: those whose connection is under way, and those that listen.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};

use socket2::{Domain, Protocol, Socket, Type};

/// How many connections wait to be accepted.
const BACKLOG: i32 = 32;

/// Begins to connect from `local`. A port that is given may be a listener's (RFC 6544 §4.1).
pub(crate) fn connect(local: SocketAddr, remote: SocketAddr) -> io::Result<TcpStream> {
    let socket = open(local)?;
    if local.port() != 0 {
        share_port(&socket)?;
    }
    socket.bind(&local.into())?;
    match socket.connect(&remote.into()) {
        Err(error) if !is_in_progress(&error) => Err(error),
        _ => Ok(socket.into()),
    }
}

/// Listens at `local`, whose port connections that are opened here may have too. What is accepted has the listener's options.
pub(crate) fn listen(local: SocketAddr) -> io::Result<TcpListener> {
    let socket = open(local)?;
    if local.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    share_port(&socket)?;
    socket.bind(&local.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn open(local: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(local), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    // Each frame is a datagram of somebody's, and should not wait for the next one.
    socket.set_tcp_nodelay(true)?;
    Ok(socket)
}

/// Both who listen and who connect have to say so.
fn share_port(socket: &Socket) -> io::Result<()> {
    socket.set_reuse_address(true)?;
    #[cfg(all(unix, not(any(target_os = "solaris", target_os = "illumos", target_os = "cygwin"))))]
    socket.set_reuse_port(true)?;
    Ok(())
}

fn is_in_progress(error: &io::Error) -> bool {
    #[cfg(unix)]
    if error.raw_os_error() == Some(libc::EINPROGRESS) {
        return true;
    }
    error.kind() == io::ErrorKind::WouldBlock
}
