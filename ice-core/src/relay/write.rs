//! What our requests say.

use core::net::SocketAddr;
use core::time::Duration;

use super::allocation::{Allocation, LIFETIME, Phase};
use super::config::Families;
use super::requests::Purpose;
use crate::wire::{AddressFamily, BufferTooSmall, Class, MessageWriter, TransactionId, UDP};

/// RFC 8656 §5 wants it in Allocate and Refresh.
const SOFTWARE: &str = concat!("floe ", env!("CARGO_PKG_VERSION"));

impl Allocation {
    /// Writes the request that `serial` is now the number of. Gives its length.
    pub(super) fn write(
        &self,
        purpose: Purpose,
        id: TransactionId,
        buffer: &mut [u8],
    ) -> Result<usize, BufferTooSmall> {
        if purpose == Purpose::Keepalive {
            let writer = MessageWriter::new(buffer, Class::Indication, purpose.method(), id);
            return writer.finish_with_fingerprint();
        }
        let mut writer = MessageWriter::new(buffer, Class::Request, purpose.method(), id);
        match purpose {
            Purpose::Keepalive => {}
            Purpose::Allocate => {
                writer = writer.software(SOFTWARE).requested_transport(UDP).lifetime(LIFETIME);
                // RFC 8656 §7.1: at most one of the two, and none for IPv4.
                writer = match &self.phase {
                    Phase::Allocating { families: Families::V6, .. } => {
                        writer.requested_address_family(AddressFamily::V6)
                    }
                    Phase::Allocating { families: Families::Both, .. } => {
                        writer.additional_address_family(AddressFamily::V6)
                    }
                    _ => writer,
                };
            }
            Purpose::Refresh => writer = writer.software(SOFTWARE).lifetime(LIFETIME),
            Purpose::Delete => writer = writer.software(SOFTWARE).lifetime(Duration::ZERO),
            Purpose::Permit => {
                for ip in self.permissions.asked(self.serial) {
                    // RFC 8656 §10.1: the port does not matter.
                    writer = writer.xor_peer_address(SocketAddr::new(ip, 0));
                }
            }
            Purpose::Bind(number) => {
                let peer = self.channels.meant_by(number).ok_or(BufferTooSmall)?;
                writer = writer.channel_number(number).xor_peer_address(peer);
            }
        }
        let writer = self.session.write(writer);
        match self.session.key() {
            Some(key) => writer.sign(key),
            None => writer.finish_with_fingerprint(),
        }
    }
}
