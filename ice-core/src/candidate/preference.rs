//! Local preferences: which of our addresses is better (RFC 8445 §5.1.2.1, RFC 8421 §4).

use core::net::{IpAddr, Ipv6Addr};

use smallvec::{SmallVec, smallvec};

use super::{CandidateType, TcpType};

/// Hands out local preferences, each once.
///
/// A priority that was signalled cannot change, and so an address that comes later ranks below those
/// of its class that came before. Each class of addresses has a band of its own, so that a good address
/// that comes late still ranks above the bad ones that came early:
///
/// | class | preferences |
/// |---|---|
/// | native: global, private, unique local | 65535 to 32768 |
/// | deprecated: 6to4, Teredo, site-local, IPv4-compatible, 6bone | 32767 to 16384 |
/// | link-local | 16383 to 8192 |
/// | loopback | 8191 to 0 |
///
/// The one exception is the first batch if it holds a single address: that gets 65535 whatever it is
/// (RFC 8445 §5.1.2.1). A driver that knows several addresses had better give them together.
///
/// A band that has been used up gives its lowest number again and again; it takes 8192 addresses
/// over the life of the agent to see that.
#[derive(Clone, Debug)]
pub struct LocalPreferences {
    /// The next free number of each class; its lowest one once it has run out.
    next: [u16; 4],
    is_first: bool,
}

impl LocalPreferences {
    /// Nothing handed out yet.
    pub const fn new() -> Self {
        Self { next: [65535, 32767, 16383, 8191], is_first: true }
    }

    /// The preferences of these addresses, in their order.
    ///
    /// Within a batch, native addresses are intermingled by family as RFC 8421 §4 has it: a head start for
    /// IPv6, then both in turn. The others keep their order: they are behind and not worth mingling.
    pub fn assign(&mut self, batch: &[IpAddr]) -> SmallVec<[u16; 4]> {
        let is_first = self.is_first;
        self.is_first &= batch.is_empty();
        if let ([_], true) = (batch, is_first) {
            return smallvec![self.take(Class::Native)];
        }
        let mut preferences: SmallVec<[u16; 4]> = smallvec![0; batch.len()];
        for (index, class) in ranking(batch) {
            if let Some(preference) = preferences.get_mut(index) {
                *preference = self.take(class);
            }
        }
        preferences
    }

    fn take(&mut self, class: Class) -> u16 {
        let [native, deprecated, link_local, loopback] = &mut self.next;
        let (next, lowest) = match class {
            Class::Native => (native, 32768),
            Class::Deprecated => (deprecated, 16384),
            Class::LinkLocal => (link_local, 8192),
            Class::Loopback => (loopback, 0),
        };
        let taken = *next;
        *next = taken.saturating_sub(1).max(lowest);
        taken
    }
}

/// The local preference of a TCP candidate (RFC 6544 §4.2): the direction first, then what its address is worth, which is
/// `preference` where it is not TCP. Each class of addresses keeps a band of its own, an eighth as wide.
pub(crate) fn tcp_preference(kind: CandidateType, tcp: TcpType, preference: u16) -> u16 {
    let direction = match (kind, tcp) {
        (CandidateType::Host | CandidateType::Relayed, TcpType::Active) => 6,
        (CandidateType::Host | CandidateType::Relayed, TcpType::SimultaneousOpen) => 2,
        (CandidateType::Host | CandidateType::Relayed, TcpType::Passive) => 4,
        (_, TcpType::Active) => 4,
        (_, TcpType::SimultaneousOpen) => 6,
        (_, TcpType::Passive) => 2,
    };
    let (highest, band, width) = match preference {
        32768.. => (65535, 8191, 4096),
        16384.. => (32767, 4095, 2048),
        8192.. => (16383, 2047, 1024),
        _ => (8191, 1023, 1024),
    };
    let other = band - (highest - preference).min(width - 1);
    (direction << 13) + other
}

impl Default for LocalPreferences {
    fn default() -> Self {
        Self::new()
    }
}

/// How likely an address is to lead anywhere, best first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Class {
    Native,
    Deprecated,
    LinkLocal,
    Loopback,
}

impl Class {
    fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            address if address.is_loopback() => Self::Loopback,
            IpAddr::V4(address) if address.is_link_local() => Self::LinkLocal,
            IpAddr::V6(address) if address.is_unicast_link_local() => Self::LinkLocal,
            IpAddr::V6(address) if is_deprecated(address) => Self::Deprecated,
            _ => Self::Native,
        }
    }
}

/// The prefixes that RFC 6724 §2.1 ranks below IPv4 or that have been withdrawn (§10.6 and its references).
fn is_deprecated(address: Ipv6Addr) -> bool {
    match address.segments() {
        [0x2002, ..] | [0x2001, 0, ..] | [0x3ffe, ..] | [0xfec0..=0xfeff, ..] => true,
        // IPv4-compatible; the unspecified address is none.
        [0, 0, 0, 0, 0, 0, high, low] => (high, low) != (0, 0),
        _ => false,
    }
}

/// The places in the batch, best address first.
fn ranking(batch: &[IpAddr]) -> SmallVec<[(usize, Class); 8]> {
    let mut ranking: SmallVec<[(usize, Class); 8]> =
        intermingled(batch).into_iter().map(|index| (index, Class::Native)).collect();
    for class in [Class::Deprecated, Class::LinkLocal, Class::Loopback] {
        let of_class = batch.iter().enumerate().filter(|(_, address)| Class::of(**address) == class);
        ranking.extend(of_class.map(|(index, _)| (index, class)));
    }
    ranking
}

/// The places of the native addresses. RFC 8421 §4: Hi = (N4 + N6) / N4 of IPv6 first, then one of each in turn.
fn intermingled(batch: &[IpAddr]) -> SmallVec<[usize; 8]> {
    let native = || batch.iter().enumerate().filter(|(_, address)| Class::of(**address) == Class::Native);
    let family = |is_ipv6: bool| native().filter(move |(_, address)| address.is_ipv6() == is_ipv6);
    let [mut ipv4, mut ipv6] = [false, true].map(|is_ipv6| family(is_ipv6).map(|(index, _)| index));

    let total = native().count();
    let head_start = total.checked_div(family(false).count()).unwrap_or(total);
    let mut places: SmallVec<[usize; 8]> = ipv6.by_ref().take(head_start).collect();
    while places.len() < total {
        places.extend(ipv4.next());
        places.extend(ipv6.next());
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use core::net::Ipv4Addr;

    fn addresses(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn assign(preferences: &mut LocalPreferences, texts: &[&str]) -> Vec<u16> {
        preferences.assign(&addresses(texts)).into_vec()
    }

    /// The batch, best first.
    fn order<'t>(texts: &[&'t str]) -> Vec<&'t str> {
        let given = assign(&mut LocalPreferences::new(), texts);
        let mut ranked: Vec<_> = given.into_iter().zip(texts.iter().copied()).collect();
        ranked.sort_unstable_by(|one, other| other.cmp(one));
        ranked.into_iter().map(|(_, text)| text).collect()
    }

    #[test]
    fn a_single_address_gets_the_highest() {
        for only in ["192.0.2.1", "2001:db8::1", "fe80::1", "127.0.0.1"] {
            let mut preferences = LocalPreferences::new();
            assert_eq!(assign(&mut preferences, &[]), []);
            assert_eq!(assign(&mut preferences, &[only]), [65535]);
            assert_eq!(assign(&mut preferences, &["192.0.2.2"]), [65534]);
        }
    }

    /// RFC 6544 §4.2: a single address has 8191, and no two of one direction are alike.
    #[test]
    fn over_tcp_the_direction_comes_before_the_address() {
        use CandidateType::{Host, ServerReflexive};
        let table = [
            (Host, TcpType::Active, 65535, (6 << 13) + 8191),
            (Host, TcpType::Passive, 65535, (4 << 13) + 8191),
            (Host, TcpType::SimultaneousOpen, 65534, (2 << 13) + 8190),
            (ServerReflexive, TcpType::Passive, 65535, (2 << 13) + 8191),
            (Host, TcpType::Active, 32768, (6 << 13) + 4096),
            (Host, TcpType::Active, 32767, (6 << 13) + 4095),
            (Host, TcpType::Active, 16384, (6 << 13) + 2048),
            (Host, TcpType::Active, 16383, (6 << 13) + 2047),
            (Host, TcpType::Active, 8191, (6 << 13) + 1023),
            (Host, TcpType::Active, 0, 6 << 13),
        ];
        for (kind, tcp, preference, expected) in table {
            assert_eq!(tcp_preference(kind, tcp, preference), expected, "{kind} {tcp:?} {preference}");
        }
    }

    #[test]
    fn families_are_intermingled_after_a_head_start() {
        let table: [(&[&str], &[&str]); 4] = [
            // RFC 8421 §4: two IPv4 and six IPv6, the first IPv4 after four IPv6.
            (
                &["1.0.0.1", "1.0.0.2", "2a00::1", "2a00::2", "2a00::3", "2a00::4", "2a00::5", "2a00::6"],
                &["2a00::1", "2a00::2", "2a00::3", "2a00::4", "1.0.0.1", "2a00::5", "1.0.0.2", "2a00::6"],
            ),
            (&["1.0.0.1", "2a00::1"], &["2a00::1", "1.0.0.1"]),
            (&["1.0.0.1", "1.0.0.2", "1.0.0.3", "2a00::1"], &["2a00::1", "1.0.0.1", "1.0.0.2", "1.0.0.3"]),
            (&["2a00::1", "2a00::2"], &["2a00::1", "2a00::2"]),
        ];
        for (batch, expected) in table {
            assert_eq!(order(batch), expected);
        }
    }

    #[test]
    fn worse_classes_come_last_and_in_their_own_order() {
        let batch = ["::1", "127.0.0.1", "169.254.1.1", "fe80::1", "2002:c000:201::1", "2001::1", "fec0::1"];
        let batch = [&batch[..], &["10.0.0.1", "fd00::1"]].concat();
        let expected =
            ["fd00::1", "10.0.0.1", "2002:c000:201::1", "2001::1", "fec0::1", "169.254.1.1", "fe80::1"];
        assert_eq!(order(&batch), [&expected[..], &["::1", "127.0.0.1"]].concat());
    }

    #[test]
    fn every_address_has_its_class() {
        let table = [
            ("192.168.0.1", Class::Native),
            ("100.64.0.1", Class::Native),
            ("fc00::1", Class::Native),
            ("2001:db8::1", Class::Native),
            ("::ffff:10.0.0.1", Class::Native),
            ("::", Class::Native),
            ("::192.0.2.1", Class::Deprecated),
            ("3ffe::1", Class::Deprecated),
            ("feff::1", Class::Deprecated),
            ("febf::1", Class::LinkLocal),
            ("::ffff:169.254.0.1", Class::LinkLocal),
            ("::ffff:127.0.0.1", Class::Loopback),
        ];
        for (text, class) in table {
            assert_eq!(Class::of(text.parse().unwrap()), class, "{text}");
        }
    }

    #[test]
    fn a_later_batch_ranks_below_its_class_and_above_the_worse_ones() {
        let mut preferences = LocalPreferences::new();
        let first = assign(&mut preferences, &["10.0.0.1", "fe80::1", "127.0.0.1", "2001::1"]);
        assert_eq!(first, [65535, 16383, 8191, 32767]);
        assert_eq!(assign(&mut preferences, &["10.0.0.2", "2a00::1"]), [65533, 65534]);
        assert_eq!(assign(&mut preferences, &["fe80::2"]), [16382]);
    }

    #[test]
    fn preferences_are_unique_until_a_band_runs_out_and_never_leave_it() {
        let mut preferences = LocalPreferences::new();
        let native: Vec<IpAddr> =
            (0..32770).map(|low| Ipv4Addr::from_bits(0x0a00_0000 + low).into()).collect();
        let given = preferences.assign(&native);
        assert!(given[..32768].is_sorted_by(|one, other| one > other));
        assert_eq!(given[32767..], [32768; 3]);
        let loopback: Vec<IpAddr> =
            (1..8194).map(|low| Ipv4Addr::from_bits(0x7f00_0000 + low).into()).collect();
        assert_eq!(preferences.assign(&loopback)[8190..], [1, 0, 0]);
        assert_eq!(preferences.assign(&addresses(&["fe80::1"]))[0], 16383);
    }
}
