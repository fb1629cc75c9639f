//! Priorities of candidates (RFC 8445 §5.1.2.1) and of pairs (§6.1.2.3).

use super::{CandidateType, Transport};

/// The priority of a candidate: type first, then local preference, then component (RFC 8445 §5.1.2.1).
///
/// `component` is 1 to 256; anything else counts as the nearest of these. The result is 1 to 2^31-1.
pub const fn priority(kind: CandidateType, local_preference: u16, component: u16) -> u32 {
    priority_over(Transport::Udp, kind, local_preference, component)
}

/// The same for a candidate of this transport (RFC 6544 §4.2).
pub const fn priority_over(
    transport: Transport,
    kind: CandidateType,
    local_preference: u16,
    component: u16,
) -> u32 {
    let component = match component {
        0 => 1,
        1..=256 => component,
        _ => 256,
    };
    let type_preference = kind.type_preference_over(transport) as u32;
    let sum = (type_preference << 24) | ((local_preference as u32) << 8) | (256 - component as u32);
    // RFC 8445 §5.1.2: at least 1. The formula gives 0 for the last component of the least relay.
    if sum == 0 { 1 } else { sum }
}

/// The priority that a peer would give to us as a peer-reflexive candidate: the value of the PRIORITY
/// attribute in a check from a base of this local preference (RFC 8445 §7.1.1).
pub const fn peer_reflexive_priority(local_preference: u16, component: u16) -> u32 {
    priority(CandidateType::PeerReflexive, local_preference, component)
}

/// The priority of a pair: 2^32·min + 2·max, and 1 more if the controlling side's candidate has the
/// higher priority (RFC 8445 §6.1.2.3).
///
/// A peer may send priorities above 2^31-1, against §5.1.2; the sum then saturates at `u64::MAX`.
pub const fn pair_priority(controlling: u32, controlled: u32) -> u64 {
    let (least, most) =
        if controlling > controlled { (controlled, controlling) } else { (controlling, controlled) };
    let tie_break = if controlling > controlled { 1 } else { 0 };
    ((least as u64) << 32).saturating_add(2 * most as u64 + tie_break)
}

#[cfg(test)]
mod tests {
    use super::*;
    use CandidateType::{Host, PeerReflexive, Relayed, ServerReflexive};

    #[test]
    fn candidate_priorities_are_those_of_the_rfcs() {
        let table = [
            (Host, 65535, 1, 2_130_706_431), // RFC 8839 §4.2
            (Host, 65535, 2, 2_130_706_430),
            (ServerReflexive, 65535, 1, 1_694_498_815), // RFC 8839 §4.2
            (PeerReflexive, 65535, 1, 1_862_270_975),
            (Relayed, 65535, 1, 16_777_215),
            (Relayed, 0, 255, 1),
            (Relayed, 0, 256, 1),
            (Host, 0, 0, 2_113_929_471),
            (Host, 0, 300, 2_113_929_216),
        ];
        for (kind, preference, component, expected) in table {
            assert_eq!(priority(kind, preference, component), expected, "{kind} {preference} {component}");
        }
        assert_eq!(peer_reflexive_priority(65535, 1), 1_862_270_975);
    }

    #[test]
    fn a_pair_orders_by_its_worse_side_and_tells_who_controls() {
        assert_eq!(pair_priority(1, 2), (1 << 32) + 4);
        assert_eq!(pair_priority(2, 1), (1 << 32) + 5);
        assert_eq!(pair_priority(7, 7), (7 << 32) + 14);
        let limit = (1 << 31) - 1;
        assert_eq!(pair_priority(limit, limit), u64::from(limit) * ((1 << 32) + 2));
        assert_eq!(pair_priority(u32::MAX, u32::MAX), u64::MAX);
    }
}
