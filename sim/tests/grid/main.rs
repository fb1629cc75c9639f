//! Every box against every other: what comes of it in the simulator agrees with what was predicted from the axes alone, in every
//! cell. `regular.txt` and `fast.txt` are the whole of it, for people; the first lines of the latter say what differs and why.

mod agreement;
mod axes;
mod flips;
mod predictor;
mod reading;
mod snapshots;
mod translation;
