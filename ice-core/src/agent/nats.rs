//! What the application knows of the NATs on both sides.

use super::{Agent, Life, MappingKnowledge};
use crate::base::Instant;
use crate::check::Forecast;
use crate::nat::{MappingBehaviour, NatBehaviour};

impl Agent {
    /// Our own NAT was measured ([`Discovery`](crate::nat::Discovery)), from an address that the agent has a socket at. From now on pairs
    /// that cannot work stand back ([`HopelessPairs`](crate::HopelessPairs)), and what does not connect is explained with it
    /// ([`Cause::Nats`](super::Cause::Nats)).
    ///
    /// It counts for candidates of the same IP address, until something else is set. [`NatBehaviour::UNKNOWN`] takes it back. What is
    /// unknown does not speak against a pair, and nothing against one on which the peer was heard.
    pub fn set_nat_behaviour(&mut self, now: Instant, behaviour: NatBehaviour) {
        self.change_forecast(now, |forecast| forecast.ours = behaviour);
    }

    /// The peer has signalled what it knows of its NAT: where its server saw it, and the axes ([`NatBehaviour::of_peer`]). It counts for
    /// candidates of the peer of the same IP address.
    ///
    /// It is taken as it is said: a peer that lies about its NAT puts its own candidates back.
    pub fn set_remote_nat_behaviour(&mut self, now: Instant, behaviour: NatBehaviour) {
        self.change_forecast(now, |forecast| forecast.theirs = behaviour);
    }

    fn change_forecast(&mut self, now: Instant, change: impl FnOnce(&mut Forecast)) {
        self.advance(now);
        if self.life != Life::Running {
            return;
        }
        let hopeless = self.hopeless_pairs;
        let (checks, mut cx) = self.checks_and_context();
        let mut forecast = checks.forecast().copied().unwrap_or_default();
        forecast.hopeless = hopeless;
        change(&mut forecast);
        checks.set_forecast(&mut cx, forecast);
        self.absorb();
    }

    /// What is known of the mapping of our own NAT: by the answers of two STUN servers of different addresses, or else by what the
    /// application has measured ([`set_nat_behaviour`](Self::set_nat_behaviour)).
    pub fn mapping(&self) -> MappingKnowledge {
        let measured = || self.generations.current.checks.forecast()?.ours.traits.mapping.known();
        match (self.gatherer.inquiries.maps_alike(), measured()) {
            (Some(true), _) | (None, Some(MappingBehaviour::EndpointIndependent)) => {
                MappingKnowledge::EndpointIndependent
            }
            (Some(false), _) | (None, Some(_)) => MappingKnowledge::EndpointDependent,
            (None, None) => MappingKnowledge::Unknown,
        }
    }
}
