//! Who runs the tasks: all that async-std and smol do differently.

use std::future::Future;
use std::io;
use std::net::SocketAddr;

use floe_driver::{Resolver, Runtime};

use crate::{TcpListener, TcpStream, Timer, UdpSocket};

macro_rules! runtime {
    ($(#[$attribute:meta])* $Name:ident, $spawn:expr, $lookup:expr) => {
        $(#[$attribute])*
        #[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
        pub struct $Name;

        $(#[$attribute])*
        impl Runtime for $Name {
            type Socket = UdpSocket;
            type Stream = TcpStream;
            type Listener = TcpListener;
            type Timer = Timer;

            fn register(&self, socket: std::net::UdpSocket) -> io::Result<UdpSocket> {
                UdpSocket::register(socket)
            }

            fn register_stream(&self, stream: std::net::TcpStream) -> io::Result<TcpStream> {
                TcpStream::register(stream)
            }

            fn register_listener(&self, listener: std::net::TcpListener) -> io::Result<TcpListener> {
                TcpListener::register(listener)
            }

            fn timer(&self) -> Timer {
                Timer::unset()
            }

            fn resolver(&self) -> Resolver {
                Box::new(|name| {
                    Box::pin(async move {
                        let found: io::Result<_> = $lookup(name).await;
                        Ok(found?.into_iter().map(|address: SocketAddr| address.ip()).collect())
                    })
                })
            }

            fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
                // The task ends by itself when the session does.
                $spawn(task);
            }
        }
    };
}

runtime! {
    /// async-std's executor, which is the same everywhere in a process.
    #[cfg(feature = "async-std")]
    AsyncStd, |task| drop(async_std::task::spawn(task)), async |name: String| {
        async_std::net::ToSocketAddrs::to_socket_addrs(&(name.as_str(), 0)).await
    }
}

runtime! {
    /// smol's global executor, the one of `smol::spawn`.
    #[cfg(feature = "smol")]
    Smol, |task| ::smol::spawn(task).detach(), |name: String| ::smol::net::resolve((name, 0))
}
