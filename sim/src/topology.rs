//! Where a datagram goes: out of its host, through the NAT in front of it, and in again through the one in front
//! of the receiver. It knows the way, and nothing of how long it takes or what is lost on it.

use core::net::{Ipv4Addr, SocketAddr};

use floe_core::base::Instant;

use crate::address::{AddressBook, Attachment, HostId, NatId, Owner};
use crate::dice::Dice;
pub(crate) use crate::nat::Protocol;
use crate::nat::{Hairpin, NatConfig, NatTable};
use crate::record::DropReason;
use crate::socket::Sockets;

/// Everything that has an address.
pub(crate) struct Topology {
    pub(crate) addresses: AddressBook,
    pub(crate) udp: Layer,
    pub(crate) tcp: Layer,
    dice: Dice,
}

/// What each protocol has for itself.
#[derive(Default)]
pub(crate) struct Layer {
    pub(crate) nats: Vec<NatTable>,
    pub(crate) sockets: Sockets,
}

/// How a datagram has left its host.
#[derive(Clone, Copy)]
pub(crate) struct Way {
    /// Where its destination address is looked for.
    pub(crate) place: Attachment,
    /// Its source address there, which a filter judges.
    pub(crate) source: SocketAddr,
    /// The source address that the receiver sees: another only when hairpinned that way.
    pub(crate) shown: SocketAddr,
}

/// Who has a destination address.
#[derive(Clone, Copy)]
pub(crate) struct Receiver {
    pub(crate) host: HostId,
    /// The destination as the host knows it.
    pub(crate) local: SocketAddr,
    /// The NAT that has to let the datagram in.
    through: Option<NatId>,
}

impl Topology {
    pub(crate) fn new(dice: Dice) -> Self {
        Self { addresses: AddressBook::default(), udp: Layer::default(), tcp: Layer::default(), dice }
    }

    /// The table of a NAT that the address book knows, for each protocol.
    pub(crate) fn add_nat(&mut self, config: NatConfig, external: Ipv4Addr) {
        self.udp.nats.push(NatTable::new(config.clone(), vec![external], Protocol::Udp));
        self.tcp.nats.push(NatTable::new(config, vec![external], Protocol::Tcp));
    }

    fn layer(&self, protocol: Protocol) -> &Layer {
        match protocol {
            Protocol::Udp => &self.udp,
            Protocol::Tcp => &self.tcp,
        }
    }

    /// Takes a datagram out of its host and, where there is one, through the NAT in front of it.
    pub(crate) fn leave(
        &mut self,
        protocol: Protocol,
        now: Instant,
        host: HostId,
        local: SocketAddr,
        to: SocketAddr,
    ) -> Result<Way, DropReason> {
        let place = self.addresses.place_of(host, local.ip()).ok_or(DropReason::NoRoute)?;
        if !self.layer(protocol).sockets.is_bound(host, local) {
            return Err(DropReason::NotBound);
        }
        let direct = Way { place, source: local, shown: local };
        let (internal, remote) = match (local, to) {
            (SocketAddr::V4(internal), SocketAddr::V4(remote)) => (internal, remote),
            (SocketAddr::V6(_), SocketAddr::V6(_)) => return Ok(direct),
            _ => return Err(DropReason::NoRoute),
        };
        let Attachment::Behind(id) = place else { return Ok(direct) };
        // An address of its own network never leaves it, even if another network uses the same.
        if self.addresses.is_local(id, *remote.ip()) {
            return Ok(direct);
        }
        let layer = if protocol == Protocol::Udp { &mut self.udp } else { &mut self.tcp };
        let nat = layer.nats.get_mut(id.0 as usize).ok_or(DropReason::NoRoute)?;
        let hairpin = nat.externals().any(|own| own == *remote.ip()).then(|| nat.hairpin());
        if hairpin == Some(Hairpin::None) {
            return Err(DropReason::NoHairpin(id));
        }
        let mapped = nat.outbound(now, internal, remote, &mut self.dice);
        let source = mapped.ok_or(DropReason::PortsExhausted(id))?.into();
        let shown = if hairpin == Some(Hairpin::InternalSource) { local } else { source };
        Ok(Way { place: Attachment::Public, source, shown })
    }

    /// Who has this address at this moment, towards this sender, filters aside.
    pub(crate) fn find(
        &self,
        protocol: Protocol,
        now: Instant,
        place: Attachment,
        to: SocketAddr,
        from: SocketAddr,
    ) -> Result<Receiver, DropReason> {
        match self.addresses.owner(place, to.ip()).ok_or(DropReason::NoRoute)? {
            Owner::Host(host) => Ok(Receiver { host, local: to, through: None }),
            Owner::Nat(id) => {
                let nat = self.layer(protocol).nats.get(id.0 as usize).ok_or(DropReason::NoRoute)?;
                let internal = match (to, from) {
                    (SocketAddr::V4(to), SocketAddr::V4(from)) => nat.internal(now, to, from),
                    _ => None,
                };
                let internal = internal.ok_or(DropReason::NoMapping(id))?;
                match self.addresses.owner(Attachment::Behind(id), (*internal.ip()).into()) {
                    Some(Owner::Host(host)) => {
                        Ok(Receiver { host, local: internal.into(), through: Some(id) })
                    }
                    _ => Err(DropReason::NoRoute),
                }
            }
        }
    }

    /// Takes a datagram through the NAT in front of its receiver, if there is one, to the receiver's socket.
    pub(crate) fn enter(
        &mut self,
        protocol: Protocol,
        now: Instant,
        way: Way,
        to: SocketAddr,
        receiver: Receiver,
    ) -> Result<(), DropReason> {
        if let Some(id) = receiver.through {
            let layer = if protocol == Protocol::Udp { &mut self.udp } else { &mut self.tcp };
            let nat = layer.nats.get_mut(id.0 as usize).ok_or(DropReason::NoRoute)?;
            let passes = match (to, way.source) {
                (SocketAddr::V4(to), SocketAddr::V4(source)) => nat.inbound(now, to, source),
                _ => false,
            };
            if !passes {
                return Err(DropReason::Filtered(id));
            }
        }
        if self.layer(protocol).sockets.is_bound(receiver.host, receiver.local) {
            Ok(())
        } else {
            Err(DropReason::NotBound)
        }
    }
}
