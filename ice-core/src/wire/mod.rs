//! STUN and TURN on the wire (RFC 8489, 8656): checked views over received bytes and a writer into the caller's
//! buffer. Nothing here allocates, keeps state or decides, but for [`FrameDecoder`], which holds the part of a message that a
//! stream has delivered; what a message means is for the rooms above.
//!
//! Reading is in two steps. [`Message::parse`] proves that the bytes are one well-formed message and
//! that its FINGERPRINT, if any, is right. [`Message::verify`] proves who wrote it. [`ServerAttributes::read`] is for
//! what servers say beyond ICE's checks, [`ChannelData`] for what a relay passes on.
//!
//! ```
//! use floe_core::wire::{Class, IntegrityKey, Message, MessageWriter, Method, TransactionId};
//!
//! let key = IntegrityKey::short_term("VOkJxbRl1RmTxUk/WvJxBt");
//! let mut buffer = [0; 128];
//! let length = MessageWriter::new(&mut buffer, Class::Request, Method::BINDING, TransactionId([7; 12]))
//!     .username("evtj", "h6vY")
//!     .priority(1_845_494_271)
//!     .sign(&key)?;
//!
//! let message = Message::parse(&buffer[..length])?;
//! message.verify(&key)?;
//! assert_eq!(message.username_halves(), Some(("evtj", "h6vY")));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod address;
mod attribute;
mod channel;
mod demux;
mod error;
mod error_code;
mod framing;
mod header;
mod integrity;
mod long_term;
mod message;
mod server;
mod server_writer;
mod writer;

#[cfg(test)]
mod framing_tests;
#[cfg(test)]
mod message_tests;
#[cfg(test)]
mod server_tests;
#[cfg(test)]
mod tamper_tests;
#[cfg(test)]
mod vector_tests;

pub use address::AddressFamily;
pub use attribute::{AttributeType, Attributes, MAX_UNKNOWN_REPORTED, RoleClaim, UnknownAttributes};
pub use channel::{ChannelData, ChannelNumber};
pub use demux::{Kind, classify, is_stun};
pub use error::{BufferTooSmall, ChannelDataError, IntegrityError, WireError};
pub use error_code::ErrorCode;
pub use framing::{FrameDecoder, FrameError, Framing, rfc4571_header};
pub use header::{Class, HEADER_SIZE, Method, TransactionId};
pub use integrity::IntegrityKey;
pub use long_term::{PasswordAlgorithm, PasswordAlgorithms, SecurityFeatures, USERHASH_SIZE, userhash};
pub use message::Message;
pub use server::{ChangeRequest, Icmp, ServerAttributes, UDP};
pub use writer::MessageWriter;
