//! Sessions through the layer, as a client and a handler see them. Numbers are those of the cases that must hold.

mod config;
mod ending;
mod expiry;
mod explicit;
mod failure;
mod flash;
mod hostile;
mod immediate;
mod layers;
mod meanwhile;
mod orders;
mod responses;
mod round_trips;
mod secrets;
mod server;
mod set_cookie;
mod support;
mod test_util;
mod users;
mod values;
