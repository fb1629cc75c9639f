//! The contenders: a file each, and this list.

mod floe;
mod is;

use crate::contender::{Contender, register};

/// Everyone, in the order of the columns. The first is compared with each of the others.
pub fn all() -> Vec<Box<dyn Contender>> {
    vec![register::<floe::Floe>(), register::<is::Is>(), register::<is::IsEager>()]
}
