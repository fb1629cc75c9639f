//! What two agents tell each other through signalling, besides candidates.

mod credentials;

pub use credentials::{Credentials, CredentialsError};
