//! The addresses of NAT64: IPv6 addresses with an IPv4 address inside (RFC 6052). A host of an IPv6-only network sends to one of them,
//! and the router in front of it translates (RFC 6146).

use core::net::{Ipv4Addr, Ipv6Addr};

/// A prefix under which a NAT64 shows all of IPv4 (RFC 6052 §2.2). A name server with DNS64 puts it in front of the addresses that
/// it gives out (RFC 6147).
///
/// ```
/// # use core::net::Ipv4Addr;
/// # use floe_sim::Nat64Prefix;
/// let inside = Ipv4Addr::new(192, 0, 2, 33);
/// let shown = Nat64Prefix::WELL_KNOWN.synthesize(inside);
/// assert_eq!(shown.to_string(), "64:ff9b::c000:221");
/// assert_eq!(Nat64Prefix::WELL_KNOWN.extract(shown), Some(inside));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Nat64Prefix {
    prefix: Ipv6Addr,
    /// In octets.
    length: usize,
}

impl Nat64Prefix {
    /// 64:ff9b::/96 (RFC 6052 §2.1). Private IPv4 addresses may not be shown under it (§3.1).
    pub const WELL_KNOWN: Self = Self { prefix: Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), length: 12 };

    /// The first `length` bits of `prefix`: 32, 40, 48, 56, 64 or 96. None for any other length, or if bits 64 to 71 are in it and are
    /// not zero (§2.2).
    pub fn new(prefix: Ipv6Addr, length: u8) -> Option<Self> {
        if !matches!(length, 32 | 40 | 48 | 56 | 64 | 96) {
            return None;
        }
        let mut octets = prefix.octets();
        octets.iter_mut().skip(usize::from(length / 8)).for_each(|octet| *octet = 0);
        if octets.get(RESERVED) != Some(&0) {
            return None;
        }
        Some(Self { prefix: octets.into(), length: usize::from(length / 8) })
    }

    /// The IPv6 address that stands for an IPv4 address.
    pub fn synthesize(self, inside: Ipv4Addr) -> Ipv6Addr {
        let mut octets = self.prefix.octets();
        for (place, octet) in self.places().zip(inside.octets()) {
            if let Some(place) = octets.get_mut(place) {
                *place = octet;
            }
        }
        octets.into()
    }

    /// The IPv4 address that an IPv6 address stands for, if it is of this prefix.
    pub fn extract(self, shown: Ipv6Addr) -> Option<Ipv4Addr> {
        let octets = shown.octets();
        if octets.get(..self.length) != self.prefix.octets().get(..self.length) {
            return None;
        }
        let mut inside = [0; 4];
        for (octet, place) in inside.iter_mut().zip(self.places()) {
            *octet = *octets.get(place)?;
        }
        Some(inside.into())
    }

    /// Whether an address may be shown under it.
    pub(crate) fn may_show(self, inside: Ipv4Addr) -> bool {
        self != Self::WELL_KNOWN || !(inside.is_private() || inside.is_loopback() || inside.is_link_local())
    }

    /// Which octets hold the IPv4 address: those behind the prefix, without the one that is reserved (§2.2).
    fn places(self) -> impl Iterator<Item = usize> {
        (self.length..16).filter(|place| *place != RESERVED).take(4)
    }
}

/// The octet of bits 64 to 71, which is zero.
const RESERVED: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of RFC 6052 §2.4.
    #[test]
    fn an_address_is_written_under_a_prefix_of_every_length() {
        let inside = Ipv4Addr::new(192, 0, 2, 33);
        for (prefix, length, shown) in [
            ("2001:db8::", 32, "2001:db8:c000:221::"),
            ("2001:db8:100::", 40, "2001:db8:1c0:2:21::"),
            ("2001:db8:122::", 48, "2001:db8:122:c000:2:2100::"),
            ("2001:db8:122:300::", 56, "2001:db8:122:3c0:0:221::"),
            ("2001:db8:122:344::", 64, "2001:db8:122:344:c0:2:2100::"),
            ("2001:db8:122:344::", 96, "2001:db8:122:344::192.0.2.33"),
        ] {
            let prefix = Nat64Prefix::new(prefix.parse().unwrap(), length).unwrap();
            let shown: Ipv6Addr = shown.parse().unwrap();
            assert_eq!(prefix.synthesize(inside), shown);
            assert_eq!(prefix.extract(shown), Some(inside));
            assert_eq!(prefix.extract("2001:db9::1".parse().unwrap()), None);
        }
        assert_eq!(Nat64Prefix::new(Ipv6Addr::LOCALHOST, 95), None);
        let octet_64_to_71 = "2001:db8:122:344:100::".parse().unwrap();
        assert_eq!(Nat64Prefix::new(octet_64_to_71, 96), None);
        assert!(Nat64Prefix::new(octet_64_to_71, 64).is_some(), "it is not in the prefix");
    }
}
