//! What the server has said so far, and what follows from it: the decisions of RFC 5780 §4.3 and §4.4 as functions of the
//! answers. Silence is only believed where the same address answered a plain question.

use core::net::SocketAddr;

use super::behaviour::{
    Access, FilteringBehaviour, Finding, HairpinBehaviour, LifetimeRange, MappingBehaviour, NatBehaviour,
    NatTraits, WhyUnknown,
};

/// One of the two sockets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Side {
    First,
    Second,
}

/// One of the server's four addresses (RFC 5780 §6.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Place {
    /// Where it is asked first.
    Main,
    /// The same address, and the other port.
    OtherPort,
    /// The other address, and the same port.
    OtherAddress,
    /// Its OTHER-ADDRESS.
    OtherBoth,
}

/// What came of a question.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) enum Reply {
    #[default]
    Nothing,
    /// An answer that names this address of ours.
    Seen(SocketAddr),
    /// One that names none.
    NoAddress,
    /// An error response.
    Refused(u16),
    /// A success from another place than was asked for.
    Ignored,
}

impl Reply {
    pub(super) fn seen(self) -> Option<SocketAddr> {
        match self {
            Self::Seen(address) => Some(address),
            _ => None,
        }
    }
}

/// How far the discovery is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Stage {
    Unstarted,
    Contact,
    Filters,
    Places,
    Lifetime,
    Done,
}

/// The server's OTHER-ADDRESS.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) enum Other {
    #[default]
    None,
    Unusable,
    At(SocketAddr),
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Evidence {
    pub(super) local: SocketAddr,
    pub(super) stage: Stage,
    pub(super) stopped: bool,
    pub(super) first: Reply,
    pub(super) second: Reply,
    pub(super) other: Other,
    pub(super) rewrites: Option<bool>,
    /// Plain questions to the four places, in the order of [`Place`].
    pub(super) places: [Reply; 4],
    /// CHANGE-REQUEST: answers from the other port, and from the other address and port.
    pub(super) changed: [Reply; 2],
    /// How often each of these was asked.
    pub(super) asked: [u8; 2],
    pub(super) hairpin: Option<HairpinBehaviour>,
    /// How often a datagram was sent from one socket to the mapping of the other.
    pub(super) loops: u8,
    pub(super) lifetime: Finding<LifetimeRange>,
}

/// How often a question has to have been asked, and not been answered, to mean something.
const ENOUGH: u8 = 5;

impl Evidence {
    pub(super) fn new(local: SocketAddr, wants_lifetime: bool) -> Self {
        let lifetime = if wants_lifetime { WhyUnknown::NotYet } else { WhyUnknown::NotAsked };
        Self {
            local,
            stage: Stage::Unstarted,
            stopped: false,
            first: Reply::Nothing,
            second: Reply::Nothing,
            other: Other::None,
            rewrites: None,
            places: [Reply::Nothing; 4],
            changed: [Reply::Nothing; 2],
            asked: [0; 2],
            hairpin: None,
            loops: 0,
            lifetime: Finding::Unknown(lifetime),
        }
    }

    pub(super) fn place(&self, place: Place) -> Reply {
        self.places.get(place as usize).copied().unwrap_or_default()
    }

    pub(super) fn is_translated(&self) -> bool {
        self.first.seen().is_some_and(|mapped| mapped != self.local)
    }

    pub(super) fn behaviour(&self) -> NatBehaviour {
        let mapped = self.first.seen();
        let measured = || self.reached().err().unwrap_or(WhyUnknown::NoMappedAddress);
        NatBehaviour {
            local: Some(self.local),
            mapped,
            traits: NatTraits {
                access: self.access(),
                mapping: finding(self.mapping()),
                filtering: finding(self.filtering()),
                hairpin: finding(self.hairpin()),
            },
            lifetime: self.lifetime(),
            port_preserved: finding(
                mapped.map(|mapped| mapped.port() == self.local.port()).ok_or_else(measured),
            ),
            rewrites_payload: finding(self.rewrites.ok_or_else(measured)),
        }
    }

    fn access(&self) -> Finding<Access> {
        match self.reached() {
            Ok(mapped) if mapped == self.local => Finding::Known(Access::Direct),
            Ok(_) => Finding::Known(Access::Translated),
            Err(WhyUnknown::NoAnswer) => Finding::Known(Access::NoUdp),
            Err(why) => Finding::Unknown(why),
        }
    }

    /// RFC 5780 §4.2.
    fn reached(&self) -> Result<SocketAddr, WhyUnknown> {
        match self.first {
            Reply::Seen(mapped) => Ok(mapped),
            Reply::Refused(code) => Err(WhyUnknown::Refused(code)),
            Reply::NoAddress | Reply::Ignored => Err(WhyUnknown::NoMappedAddress),
            Reply::Nothing if self.stage <= Stage::Contact || self.stopped => Err(self.pending()),
            Reply::Nothing => Err(WhyUnknown::NoAnswer),
        }
    }

    fn has_other(&self) -> Result<(), WhyUnknown> {
        match self.other {
            Other::At(_) => Ok(()),
            Other::None => Err(WhyUnknown::NoOtherAddress),
            Other::Unusable => Err(WhyUnknown::OtherAddressUnusable),
        }
    }

    /// RFC 5780 §4.3.
    fn mapping(&self) -> Result<MappingBehaviour, WhyUnknown> {
        if self.reached()? == self.local {
            return Ok(MappingBehaviour::EndpointIndependent);
        }
        self.has_other()?;
        // Asked anew: the mapping of the first question may have expired while the filter was tried.
        let main = self.answered(Place::Main, WhyUnknown::ServerGone)?;
        let other = self.answered(Place::OtherAddress, WhyUnknown::OtherSilent)?;
        if other == main {
            return Ok(MappingBehaviour::EndpointIndependent);
        }
        match self.answered(Place::OtherBoth, WhyUnknown::OtherSilent)? == other {
            true => Ok(MappingBehaviour::AddressDependent),
            false => Ok(MappingBehaviour::AddressAndPortDependent),
        }
    }

    /// RFC 5780 §4.4.
    fn filtering(&self) -> Result<FilteringBehaviour, WhyUnknown> {
        self.reached()?;
        self.has_other()?;
        let [port, both] = self.changed;
        for reply in [both, port] {
            match reply {
                Reply::Refused(code) => return Err(WhyUnknown::Refused(code)),
                Reply::Ignored => return Err(WhyUnknown::Ignored),
                _ => {}
            }
        }
        if both != Reply::Nothing {
            return Ok(FilteringBehaviour::EndpointIndependent);
        }
        if self.stage <= Stage::Places {
            return Err(self.pending());
        }
        // Nothing came from there. Would it have come at all?
        self.answered(Place::Main, WhyUnknown::ServerGone)?;
        self.answered(Place::OtherBoth, WhyUnknown::OtherSilent)?;
        let [asked_port, asked_both] = self.asked;
        if asked_both < ENOUGH {
            return Err(WhyUnknown::Interrupted);
        }
        if port != Reply::Nothing {
            return Ok(FilteringBehaviour::AddressDependent);
        }
        self.answered(Place::OtherPort, WhyUnknown::OtherSilent)?;
        if asked_port < ENOUGH {
            return Err(WhyUnknown::Interrupted);
        }
        Ok(FilteringBehaviour::AddressAndPortDependent)
    }

    /// RFC 5780 §3.4, with both sockets sending, since a filter that depends on the port opens no other way.
    fn hairpin(&self) -> Result<HairpinBehaviour, WhyUnknown> {
        if self.reached()? == self.local {
            return Err(WhyUnknown::NotTranslated);
        }
        if let Some(seen) = self.hairpin {
            return Ok(seen);
        }
        if self.second.seen().is_none() && self.stage > Stage::Contact {
            return Err(WhyUnknown::OneSocket);
        }
        if self.stage <= Stage::Places {
            return Err(self.pending());
        }
        if self.loops < 2 * ENOUGH {
            return Err(WhyUnknown::Interrupted);
        }
        let opens = self.mapping() == Ok(MappingBehaviour::EndpointIndependent)
            || self.filtering() == Ok(FilteringBehaviour::EndpointIndependent);
        // Else each socket sends from a mapping that the other one's filter has not been opened for.
        if opens { Ok(HairpinBehaviour::No) } else { Err(WhyUnknown::Masked) }
    }

    fn lifetime(&self) -> Finding<LifetimeRange> {
        if self.lifetime == Finding::Unknown(WhyUnknown::NotAsked) {
            return self.lifetime;
        }
        match self.reached() {
            Err(why) => Finding::Unknown(why),
            Ok(_) if self.second.seen().is_none() && self.stage > Stage::Contact => {
                Finding::Unknown(WhyUnknown::OneSocket)
            }
            Ok(_) if self.lifetime == Finding::Unknown(WhyUnknown::NotYet) => {
                Finding::Unknown(self.pending())
            }
            Ok(_) => self.lifetime,
        }
    }

    /// Which address of ours this place has told.
    fn answered(&self, place: Place, silent: WhyUnknown) -> Result<SocketAddr, WhyUnknown> {
        match self.place(place) {
            Reply::Seen(address) => Ok(address),
            Reply::Refused(code) => Err(WhyUnknown::Refused(code)),
            Reply::NoAddress | Reply::Ignored => Err(WhyUnknown::NoMappedAddress),
            Reply::Nothing if self.stage <= Stage::Places => Err(self.pending()),
            Reply::Nothing => Err(silent),
        }
    }

    fn pending(&self) -> WhyUnknown {
        if self.stopped { WhyUnknown::Stopped } else { WhyUnknown::NotYet }
    }
}

fn finding<T>(result: Result<T, WhyUnknown>) -> Finding<T> {
    match result {
        Ok(value) => Finding::Known(value),
        Err(why) => Finding::Unknown(why),
    }
}
