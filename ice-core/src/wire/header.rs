//! The 20-byte header: class, method, length, magic cookie, transaction id (RFC 8489 §5).

use core::fmt;

/// Bytes in front of the attributes (RFC 8489 §5).
pub const HEADER_SIZE: usize = 20;

/// Tells STUN from its predecessor and from other protocols; also masks addresses (RFC 8489 §5, §14.2).
pub(crate) const MAGIC_COOKIE: u32 = 0x2112_A442;

/// Matches a response with its request: 96 bits that nobody off the path can guess (RFC 8489 §5).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransactionId(pub [u8; 12]);

impl fmt::Display for TransactionId {
    /// 24 hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for TransactionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// What a message is for (RFC 8489 §5).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Class {
    /// Wants a response.
    Request,
    /// Wants none.
    Indication,
    /// The request was carried out.
    Success,
    /// The request was refused; ERROR-CODE says why.
    Error,
}

/// What is asked for, a number of 12 bits (RFC 8489 §5, §18.2).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Method(u16);

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match *self {
            Self::BINDING => "Binding",
            Self::ALLOCATE => "Allocate",
            Self::REFRESH => "Refresh",
            Self::SEND => "Send",
            Self::DATA => "Data",
            Self::CREATE_PERMISSION => "CreatePermission",
            Self::CHANNEL_BIND => "ChannelBind",
            Self(other) => return write!(f, "method {other:#x}"),
        })
    }
}

impl Method {
    /// Binding: "from which address do you see me?" (RFC 8489 §3), and ICE's connectivity check.
    pub const BINDING: Self = Self(0x001);
    /// Allocate: a relayed address (RFC 8656 §7).
    pub const ALLOCATE: Self = Self(0x003);
    /// Refresh: a longer life for it, or none (RFC 8656 §8).
    pub const REFRESH: Self = Self(0x004);
    /// Send: relay this to a peer; an indication (RFC 8656 §11.1).
    pub const SEND: Self = Self(0x006);
    /// Data: this came from a peer; an indication (RFC 8656 §11.4).
    pub const DATA: Self = Self(0x007);
    /// CreatePermission: let peers through (RFC 8656 §10).
    pub const CREATE_PERMISSION: Self = Self(0x008);
    /// ChannelBind: a short name for a peer (RFC 8656 §12.1).
    pub const CHANNEL_BIND: Self = Self(0x009);

    /// The number in IANA's registry, 0 to 0xFFF.
    pub const fn number(self) -> u16 {
        self.0
    }
}

impl fmt::Debug for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::BINDING => f.write_str("Binding"),
            Self::ALLOCATE => f.write_str("Allocate"),
            Self::REFRESH => f.write_str("Refresh"),
            Self::SEND => f.write_str("Send"),
            Self::DATA => f.write_str("Data"),
            Self::CREATE_PERMISSION => f.write_str("CreatePermission"),
            Self::CHANNEL_BIND => f.write_str("ChannelBind"),
            Self(number) => write!(f, "Method({number:#05x})"),
        }
    }
}

// RFC 8489 §5, figure 3: the two bits of the class lie at 8 and 4, in between those of the method.

/// The message type field of a header.
pub(crate) const fn message_type(class: Class, method: Method) -> u16 {
    let class = match class {
        Class::Request => 0x000,
        Class::Indication => 0x010,
        Class::Success => 0x100,
        Class::Error => 0x110,
    };
    let number = method.0;
    class | (number & 0x00F) | ((number & 0x070) << 1) | ((number & 0xF80) << 2)
}

/// The class in a message type field.
pub(crate) const fn class_of(message_type: u16) -> Class {
    match message_type & 0x110 {
        0x000 => Class::Request,
        0x010 => Class::Indication,
        0x100 => Class::Success,
        _ => Class::Error,
    }
}

/// The method in a message type field.
pub(crate) const fn method_of(message_type: u16) -> Method {
    Method((message_type & 0x00F) | ((message_type & 0x0E0) >> 1) | ((message_type & 0x3E00) >> 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn class_and_method_share_the_field_as_figure_3_says() {
        assert_eq!(message_type(Class::Request, Method::BINDING), 0x0001);
        assert_eq!(message_type(Class::Indication, Method::BINDING), 0x0011);
        assert_eq!(message_type(Class::Success, Method::BINDING), 0x0101);
        assert_eq!(message_type(Class::Error, Method::BINDING), 0x0111);
        assert_eq!(message_type(Class::Error, Method(0xFFF)), 0x3FFF);
        // RFC 8656 §17, as captures of TURN show them.
        assert_eq!(message_type(Class::Request, Method::ALLOCATE), 0x0003);
        assert_eq!(message_type(Class::Error, Method::ALLOCATE), 0x0113);
        assert_eq!(message_type(Class::Success, Method::REFRESH), 0x0104);
        assert_eq!(message_type(Class::Indication, Method::SEND), 0x0016);
        assert_eq!(message_type(Class::Indication, Method::DATA), 0x0017);
        assert_eq!(message_type(Class::Request, Method::CREATE_PERMISSION), 0x0008);
        assert_eq!(message_type(Class::Success, Method::CHANNEL_BIND), 0x0109);
    }

    #[test]
    fn every_type_comes_apart_into_what_it_was_made_of() {
        for field in 0..=0x3FFF {
            assert_eq!(message_type(class_of(field), method_of(field)), field);
        }
    }

    #[test]
    fn a_transaction_id_is_shown_in_hex() {
        let id = TransactionId([0xB7, 0xE7, 0, 1, 0xBC, 0x34, 0xD6, 0x86, 0xFA, 0x87, 0xDF, 0xAE]);
        assert_eq!(alloc::format!("{id:?}"), "b7e70001bc34d686fa87dfae");
    }
}
