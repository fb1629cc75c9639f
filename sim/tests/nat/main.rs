//! NATs seen from both sides.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests fail by panicking"
)]

mod axes;
mod lab;
mod lifetime;
mod model;
mod places;
mod presets;
mod property;
mod reach;
