//! The candidates of both sides, under keys that are never reused.
//!
//! Gathering fills the local side, signalling and connectivity checks fill the remote one; checks and
//! paths read both. They have IP addresses: names are resolved before. A candidate is told apart by its address, and by its
//! transport: who opens the connection, if it is TCP (RFC 6544 §4.5).

use alloc::vec::Vec;
use core::net::SocketAddr;

use super::local::{LocalCandidate, NewLocal, Secrecy};
use super::{CandidateType, Foundation, Network, TcpType, Transport, priority_over};
use crate::base::{ComponentId, SocketId};

/// How many local candidates of a component are kept. RFC 8445 §5.1.1.1 expects one for each address and component, and
/// one more for each server; this leaves room for a well-equipped host and bounds the pairs.
pub const MAX_LOCAL_CANDIDATES: usize = 64;

/// How many peer-reflexive candidates of ours a component has besides: a peer can show us another address in each answer
/// (RFC 8445 §7.2.5.3.1), and must not take the place of what we gather.
pub const MAX_LOCAL_PEER_REFLEXIVE: usize = 16;

/// How many signalled remote candidates a component has (RFC 8445 §19.5.1: an agent may limit those it accepts).
pub const MAX_REMOTE_CANDIDATES: usize = 128;

/// How many peer-reflexive remote candidates a component has besides (RFC 8445 §7.3.1.3, §19.5.1): a peer that knows the
/// password can send requests from any number of addresses, and each would be checked.
pub const MAX_PEER_REFLEXIVE: usize = 32;

/// The key of a local candidate. Never reused.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct LocalId(pub u16);

/// The key of a remote candidate. Never reused.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RemoteId(pub u16);

/// What became of a local candidate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub enum AddedLocal {
    /// It is in the table.
    New(LocalId),
    /// It is not: this one has the same address and base (RFC 8445 §5.1.3).
    Redundant(LocalId),
    /// It is not: there are [`MAX_LOCAL_CANDIDATES`], or all keys have been used.
    Full,
}

/// A candidate of the peer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RemoteCandidate {
    /// Its key.
    pub id: RemoteId,
    /// What it is for.
    pub component: ComponentId,
    /// Where to send to.
    pub address: SocketAddr,
    /// Who opens its connections, if it is a TCP candidate.
    pub tcp: Option<TcpType>,
    /// How the peer obtained it; peer-reflexive until it is signalled.
    pub kind: CandidateType,
    /// As signalled, or from the PRIORITY attribute of the first request.
    pub priority: u32,
    /// As signalled; for one that was learned, a text that no peer can signal.
    pub foundation: Foundation,
    /// Equal for two remote candidates exactly when their foundations are.
    pub foundation_key: u16,
    /// How we know of it.
    pub origin: Origin,
    /// What the peer has told of the network that it is on.
    pub network: Network,
}

impl RemoteCandidate {
    /// What carries its datagrams.
    pub fn transport(&self) -> Transport {
        transport_of(self.tcp)
    }
}

/// How we know of a remote candidate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Origin {
    /// The peer told us through signalling.
    Signalled,
    /// A request came from there before (RFC 8445 §7.3.1.3).
    Learned,
}

/// What [`Candidates::add_remote`] is told; the table adds the keys.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "the fields of RemoteCandidate")]
pub struct NewRemote {
    pub component: ComponentId,
    pub address: SocketAddr,
    pub tcp: Option<TcpType>,
    pub kind: CandidateType,
    pub priority: u32,
    pub foundation: Foundation,
    pub network: Network,
}

/// What became of a remote candidate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub enum AddedRemote {
    /// It is in the table.
    New(RemoteId),
    /// It was there already, and stays as it was.
    Known(RemoteId),
    /// It was there as a learned one, and has become the signalled one under the same key: type, priority,
    /// foundation and foundation key may have changed (RFC 8445 §7.3.1.3, RFC 8838 §11).
    Upgraded(RemoteId),
    /// It is not: there are as many of its origin as we accept, or all keys have been used.
    Full,
}

/// The candidates of both sides, each in the order in which they came.
#[derive(Clone, Default, Debug)]
pub struct Candidates {
    // Both are in the order of their keys, since these only grow.
    locals: Vec<LocalCandidate>,
    remotes: Vec<RemoteCandidate>,
    next_local: u16,
    next_remote: u16,
}

impl Candidates {
    /// No candidates.
    pub const fn new() -> Self {
        Self { locals: Vec::new(), remotes: Vec::new(), next_local: 0, next_remote: 0 }
    }

    /// Adds a candidate of ours, unless it is redundant.
    ///
    /// RFC 8838 §9: the one that came first stays, whatever the priorities, since it may have been
    /// signalled already. Gathered in the usual order that is also the better one of RFC 8445 §5.1.3.
    pub fn add_local(&mut self, new: NewLocal) -> AddedLocal {
        let NewLocal {
            component,
            socket,
            base,
            address,
            tcp,
            kind,
            local_preference,
            foundation,
            related,
            secrecy,
            network,
        } = new;
        let same = |it: &&LocalCandidate| {
            (it.component, it.tcp, it.base, it.address) == (component, tcp, base, address)
        };
        if let Some(existing) = self.locals.iter().find(same) {
            return AddedLocal::Redundant(existing.id);
        }
        let is_learned = |it: &&LocalCandidate| it.kind == CandidateType::PeerReflexive;
        let (learned, all) =
            (self.of_component(component).filter(is_learned).count(), self.of_component(component).count());
        let is_full = match kind {
            CandidateType::PeerReflexive => learned >= MAX_LOCAL_PEER_REFLEXIVE,
            _ => all - learned >= MAX_LOCAL_CANDIDATES,
        };
        if is_full {
            return AddedLocal::Full;
        }
        let Some(number) = next_key(&mut self.next_local) else {
            return AddedLocal::Full;
        };
        let id = LocalId(number);
        let priority = priority_over(transport_of(tcp), kind, local_preference, component.component);
        self.locals.push(LocalCandidate {
            id,
            component,
            socket,
            base,
            address,
            tcp,
            kind,
            priority,
            local_preference,
            foundation,
            related,
            secrecy,
            network,
        });
        AddedLocal::New(id)
    }

    /// A hidden candidate may be told from now on; whether it was hidden.
    pub fn reveal(&mut self, id: LocalId) -> bool {
        let Ok(index) = self.locals.binary_search_by_key(&id, |it| it.id) else { return false };
        let Some(local) = self.locals.get_mut(index).filter(|it| it.is_hidden()) else { return false };
        local.secrecy = Secrecy::Told;
        true
    }

    /// A candidate that was held back may be told from now on; whether it was held back.
    pub fn release(&mut self, id: LocalId) -> bool {
        let is_held = |it: &&mut LocalCandidate| it.id == id && it.secrecy == Secrecy::Later;
        let Some(local) = self.locals.iter_mut().find(is_held) else { return false };
        local.secrecy = Secrecy::Told;
        true
    }

    /// A filter keeps a candidate out from now on; it is there to be checked from.
    pub fn hide(&mut self, id: LocalId) {
        if let Some(local) = self.locals.iter_mut().find(|it| it.id == id) {
            local.secrecy = Secrecy::Hidden;
        }
    }

    /// What is told as the related address of each candidate.
    pub fn set_related(&mut self, related: impl Fn(&LocalCandidate) -> Option<SocketAddr>) {
        for local in &mut self.locals {
            local.related = related(local);
        }
    }

    /// A candidate that may be told is held back, until it is released, or else told with the next generation.
    pub fn withhold(&mut self, id: LocalId) {
        let may_be_told = |it: &&mut LocalCandidate| it.id == id && it.secrecy == Secrecy::Told;
        if let Some(local) = self.locals.iter_mut().find(may_be_told) {
            local.secrecy = Secrecy::Later;
        }
    }

    /// Our candidates, in the order in which they came.
    pub fn locals(&self) -> &[LocalCandidate] {
        &self.locals
    }

    /// The local candidate with this key.
    pub fn local(&self, id: LocalId) -> Option<&LocalCandidate> {
        let index = self.locals.binary_search_by_key(&id, |it| it.id).ok()?;
        self.locals.get(index)
    }

    /// The first local candidate of this component with this address (not base): the one that a mapped
    /// address names (RFC 8445 §7.2.5.3.1).
    pub fn find_local(
        &self,
        component: ComponentId,
        tcp: Option<TcpType>,
        address: SocketAddr,
    ) -> Option<&LocalCandidate> {
        self.locals.iter().find(|it| (it.component, it.tcp, it.address) == (component, tcp, address))
    }

    /// The candidate of this socket that is its own base: the one that pairs are made of (RFC 8445 §7.3.1.4). A TCP socket may
    /// have one for each direction.
    pub fn base_of(&self, socket: SocketId, tcp: Option<TcpType>) -> Option<&LocalCandidate> {
        let is_base = |it: &&LocalCandidate| {
            (it.socket, it.tcp) == (socket, tcp)
                && matches!(it.kind, CandidateType::Host | CandidateType::Relayed)
        };
        self.locals.iter().find(is_base)
    }

    /// Takes a local candidate out; its key finds nothing from now on.
    pub fn remove_local(&mut self, id: LocalId) -> Option<LocalCandidate> {
        let index = self.locals.binary_search_by_key(&id, |it| it.id).ok()?;
        Some(self.locals.remove(index))
    }

    /// Adds a candidate that the peer has signalled.
    ///
    /// One whose address was learned from a request before becomes the signalled one in place.
    pub fn add_remote(&mut self, new: NewRemote) -> AddedRemote {
        let NewRemote { component, address, tcp, kind, priority, foundation, network } = new;
        let is_full = self.count(component, Origin::Signalled) >= MAX_REMOTE_CANDIDATES;
        let shared = self.remotes.iter().find(|it| it.foundation == foundation).map(|it| it.foundation_key);
        let same =
            |it: &&mut RemoteCandidate| (it.component, it.tcp, it.address) == (component, tcp, address);
        match self.remotes.iter_mut().find(same) {
            Some(known) if known.origin == Origin::Signalled => AddedRemote::Known(known.id),
            _ if is_full => AddedRemote::Full,
            Some(learned) => {
                learned.kind = kind;
                learned.priority = priority;
                learned.foundation = foundation;
                learned.foundation_key = shared.unwrap_or(learned.foundation_key);
                learned.origin = Origin::Signalled;
                learned.network = network;
                AddedRemote::Upgraded(learned.id)
            }
            None => self.push_remote(new, Origin::Signalled, shared),
        }
    }

    /// Adds the source of an authenticated request as a peer-reflexive candidate, with the priority that the
    /// request told and a foundation like no other (RFC 8445 §7.3.1.3). One that is there stays as it was.
    pub fn learn_remote(
        &mut self,
        component: ComponentId,
        tcp: Option<TcpType>,
        address: SocketAddr,
        priority: u32,
    ) -> AddedRemote {
        if let Some(known) = self.find_remote(component, tcp, address) {
            return AddedRemote::Known(known.id);
        }
        if self.count(component, Origin::Learned) >= MAX_PEER_REFLEXIVE {
            return AddedRemote::Full;
        }
        let kind = CandidateType::PeerReflexive;
        let foundation = Foundation::peer_reflexive(self.next_remote);
        let network = Network::default();
        let new = NewRemote { component, address, tcp, kind, priority, foundation, network };
        self.push_remote(new, Origin::Learned, None)
    }

    /// The peer's candidates, in the order in which they came.
    pub fn remotes(&self) -> &[RemoteCandidate] {
        &self.remotes
    }

    /// The remote candidate with this key.
    pub fn remote(&self, id: RemoteId) -> Option<&RemoteCandidate> {
        let index = self.remotes.binary_search_by_key(&id, |it| it.id).ok()?;
        self.remotes.get(index)
    }

    /// The remote candidate of this component and transport with this address.
    pub fn find_remote(
        &self,
        component: ComponentId,
        tcp: Option<TcpType>,
        address: SocketAddr,
    ) -> Option<&RemoteCandidate> {
        self.remotes.iter().find(|it| (it.component, it.tcp, it.address) == (component, tcp, address))
    }

    /// Takes a remote candidate out; its key finds nothing from now on.
    pub fn remove_remote(&mut self, id: RemoteId) -> Option<RemoteCandidate> {
        let index = self.remotes.binary_search_by_key(&id, |it| it.id).ok()?;
        Some(self.remotes.remove(index))
    }

    /// What a new generation begins with (RFC 8445 §9): our own candidates, hidden ones included, and nothing of
    /// the peer, nor of what it has shown us.
    pub(crate) fn successor(&self) -> Self {
        let gathered = |it: &&LocalCandidate| it.kind != CandidateType::PeerReflexive;
        let locals: Vec<_> = self
            .locals
            .iter()
            .filter(gathered)
            .cloned()
            .zip(0..)
            .map(|(l, n)| LocalCandidate { id: LocalId(n), secrecy: l.secrecy.of_next(), ..l })
            .collect();
        let next_local = locals.len() as u16;
        Self { locals, remotes: Vec::new(), next_local, next_remote: 0 }
    }

    /// Takes in a candidate of ours as another generation has it, under a key of this one.
    pub(crate) fn copy_local(&mut self, other: &LocalCandidate) -> AddedLocal {
        let LocalCandidate {
            component,
            socket,
            base,
            address,
            tcp,
            kind,
            local_preference,
            foundation,
            related,
            secrecy,
            network,
            ..
        } = *other;
        self.add_local(NewLocal {
            component,
            socket,
            base,
            address,
            tcp,
            kind,
            local_preference,
            foundation,
            related,
            secrecy: secrecy.of_next(),
            network,
        })
    }

    /// Takes everything of a component out.
    pub(crate) fn remove_component(&mut self, component: ComponentId) {
        self.locals.retain(|it| it.component != component);
        self.remotes.retain(|it| it.component != component);
    }

    /// Takes all remote candidates out: after a restart they are those of an old generation
    /// (RFC 8445 §9). Keys go on counting.
    pub fn clear_remotes(&mut self) {
        self.remotes.clear();
    }

    fn of_component(&self, component: ComponentId) -> impl Iterator<Item = &LocalCandidate> {
        self.locals.iter().filter(move |it| it.component == component)
    }

    fn count(&self, component: ComponentId, origin: Origin) -> usize {
        self.remotes.iter().filter(|it| it.component == component && it.origin == origin).count()
    }

    /// `shared` is the key of those with the same foundation. Without one, the candidate's own number is the
    /// key: nobody else has it, nor ever will.
    fn push_remote(&mut self, new: NewRemote, origin: Origin, shared: Option<u16>) -> AddedRemote {
        let NewRemote { component, address, tcp, kind, priority, foundation, network } = new;
        let Some(number) = next_key(&mut self.next_remote) else {
            return AddedRemote::Full;
        };
        let id = RemoteId(number);
        let foundation_key = shared.unwrap_or(number);
        self.remotes.push(RemoteCandidate {
            id,
            component,
            address,
            tcp,
            kind,
            priority,
            foundation,
            foundation_key,
            origin,
            network,
        });
        AddedRemote::New(id)
    }
}

/// What carries the datagrams of a candidate.
pub(super) fn transport_of(tcp: Option<TcpType>) -> Transport {
    if tcp.is_some() { Transport::Tcp } else { Transport::Udp }
}

/// The next key, or none when all 65535 have been used.
fn next_key(next: &mut u16) -> Option<u16> {
    let key = *next;
    *next = key.checked_add(1)?;
    Some(key)
}

#[cfg(test)]
mod tests;
