//! Transport addresses in attributes, plain and masked (RFC 8489 §14.1, §14.2), and their families.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::header::{MAGIC_COOKIE, TransactionId};

/// A family of addresses, by its number in attributes (RFC 8489 §14.1).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AddressFamily(pub u8);

impl AddressFamily {
    /// IPv4.
    pub const V4: Self = Self(1);
    /// IPv6.
    pub const V6: Self = Self(2);

    /// The family of an address.
    pub const fn of(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(_) => Self::V6,
        }
    }
}

impl fmt::Display for AddressFamily {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::V4 => f.write_str("IPv4"),
            Self::V6 => f.write_str("IPv6"),
            Self(number) => write!(f, "address family {number}"),
        }
    }
}

impl fmt::Debug for AddressFamily {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The value of an attribute that holds an address: the bytes, and how many of them count.
pub(crate) type AddressValue = ([u8; 20], usize);

/// Reads a plain address (RFC 8489 §14.1). `Ok(None)` is a family that we do not know, which is to be
/// ignored (§6.3.3); `Err` is a size that does not belong to the family.
pub(crate) fn read_address(value: &[u8]) -> Result<Option<SocketAddr>, ()> {
    Mask::NONE.read(value)
}

/// Reads a masked address (RFC 8489 §14.2), otherwise the same.
pub(crate) fn read_xor_address(value: &[u8], id: TransactionId) -> Result<Option<SocketAddr>, ()> {
    Mask::of(id).read(value)
}

/// Writes a plain address (RFC 8489 §14.1).
pub(crate) fn write_address(address: SocketAddr) -> AddressValue {
    Mask::NONE.write(address)
}

/// Writes a masked address (RFC 8489 §14.2).
pub(crate) fn write_xor_address(address: SocketAddr, id: TransactionId) -> AddressValue {
    Mask::of(id).write(address)
}

/// What is laid over the parts of an address, to read it as well as to write it.
struct Mask {
    port: u16,
    v4: u32,
    v6: u128,
}

impl Mask {
    const NONE: Self = Self { port: 0, v4: 0, v6: 0 };

    /// RFC 8489 §14.2: the magic cookie, for IPv6 followed by the transaction id.
    fn of(id: TransactionId) -> Self {
        let v6 = id.0.iter().fold(u128::from(MAGIC_COOKIE), |mask, byte| (mask << 8) | u128::from(*byte));
        Self { port: (MAGIC_COOKIE >> 16) as u16, v4: MAGIC_COOKIE, v6 }
    }

    fn read(&self, value: &[u8]) -> Result<Option<SocketAddr>, ()> {
        let (&[_, family, port_high, port_low], address) = value.split_first_chunk().ok_or(())?;
        let ip: IpAddr = match AddressFamily(family) {
            AddressFamily::V4 => {
                let bits = u32::from_be_bytes(address.try_into().map_err(|_| ())?);
                Ipv4Addr::from_bits(bits ^ self.v4).into()
            }
            AddressFamily::V6 => {
                let bits = u128::from_be_bytes(address.try_into().map_err(|_| ())?);
                Ipv6Addr::from_bits(bits ^ self.v6).into()
            }
            _ => return Ok(None),
        };
        Ok(Some(SocketAddr::new(ip, u16::from_be_bytes([port_high, port_low]) ^ self.port)))
    }

    fn write(&self, address: SocketAddr) -> AddressValue {
        let [port_high, port_low] = (address.port() ^ self.port).to_be_bytes();
        let (bits, size) = match address.ip() {
            // The four bytes go to the front of the sixteen.
            IpAddr::V4(ip) => (u128::from(ip.to_bits() ^ self.v4) << 96, 8),
            IpAddr::V6(ip) => (ip.to_bits() ^ self.v6, 20),
        };
        let mut value = [0; 20];
        let bytes = [0, AddressFamily::of(address.ip()).0, port_high, port_low].into_iter();
        value.iter_mut().zip(bytes.chain(bits.to_be_bytes())).for_each(|(to, from)| *to = from);
        (value, size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: TransactionId = TransactionId(*b"\xB7\xE7\xA7\x01\xBC\x34\xD6\x86\xFA\x87\xDF\xAE");

    #[test]
    fn addresses_of_both_families_come_back() {
        for text in
            ["192.0.2.1:32853", "[2001:db8:1234:5678:11:2233:4455:6677]:32853", "0.0.0.0:0", "[::]:65535"]
        {
            let address: SocketAddr = text.parse().unwrap();
            let (value, size) = write_xor_address(address, ID);
            assert_eq!(read_xor_address(&value[..size], ID), Ok(Some(address)));
            let (value, size) = write_address(address);
            assert_eq!(read_address(&value[..size]), Ok(Some(address)));
        }
    }

    #[test]
    fn a_plain_address_is_as_section_14_1_draws_it() {
        let (value, size) = write_address("192.0.2.1:3478".parse().unwrap());
        assert_eq!(value[..size], [0, 1, 0x0D, 0x96, 192, 0, 2, 1]);
        let (value, size) = write_address("[2001:db8::9]:3478".parse().unwrap());
        assert_eq!(value[..size], *b"\0\x02\x0D\x96\x20\x01\x0D\xB8\0\0\0\0\0\0\0\0\0\0\0\x09");
    }

    #[test]
    fn an_address_of_the_wrong_size_is_an_error_and_an_unknown_family_is_not() {
        let (value, _) = write_xor_address("192.0.2.1:1".parse().unwrap(), ID);
        for size in [0, 3, 4, 7, 9, 20] {
            assert_eq!(read_xor_address(&value[..size], ID), Err(()), "{size}");
        }
        assert_eq!(read_xor_address(&[0, 2, 0, 0, 1, 2, 3, 4], ID), Err(()));
        assert_eq!(read_xor_address(&[0, 3, 0, 0, 1, 2, 3, 4], ID), Ok(None));
    }
}
