//! Every NAT against every other.

mod axes;
mod predictor;
mod reading;
