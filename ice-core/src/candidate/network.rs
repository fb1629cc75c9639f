//! What each side tells of the networks that its candidates are on, in libwebrtc's extensions. It is in no RFC.

use super::{CandidateError, Extensions};

/// The most that a network costs: libwebrtc's bound.
pub const MAX_NETWORK_COST: u16 = 999;

/// The network of a candidate, as far as its side tells.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Network {
    /// Which of its side's networks it is on: `network-id`.
    pub id: Option<u16>,
    /// What using it costs, 0 to [`MAX_NETWORK_COST`]: `network-cost`.
    pub cost: Option<u16>,
}

impl Network {
    /// What the peer has told of a candidate's. Who asks for more than [`MAX_NETWORK_COST`] is understood to ask for that.
    pub fn told(extensions: &Extensions) -> Self {
        let cost = extensions.network_cost().map(|cost| cost.min(MAX_NETWORK_COST));
        Self { id: extensions.network_id(), cost }
    }

    /// Puts what is known behind `extensions`.
    ///
    /// # Errors
    /// As for [`Extensions::with`].
    pub fn tell(self, mut extensions: Extensions) -> Result<Extensions, CandidateError> {
        if let Some(id) = self.id {
            extensions = extensions.with_network_id(id)?;
        }
        if let Some(cost) = self.cost {
            extensions = extensions.with_network_cost(cost)?;
        }
        Ok(extensions)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn what_is_told_is_understood_and_what_is_not_understood_is_nothing() {
        let network = Network { id: Some(3), cost: Some(10) };
        let told = network.tell(Extensions::new().with_ufrag("EEtu").unwrap()).unwrap();
        assert_eq!(told.to_string(), "ufrag EEtu network-id 3 network-cost 10");
        assert_eq!(Network::told(&told), network);
        let untold = Network::default().tell(Extensions::new()).unwrap();
        assert_eq!((untold.to_string().as_str(), Network::told(&untold)), ("", Network::default()));
        for (cost, understood) in [
            ("0", Some(0)),
            ("999", Some(999)),
            ("1000", Some(999)),
            ("65536", None),
            ("-1", None),
            ("low", None),
        ] {
            let told = Extensions::new().with("network-cost", cost).unwrap();
            assert_eq!(Network::told(&told).cost, understood, "{cost}");
        }
    }
}
