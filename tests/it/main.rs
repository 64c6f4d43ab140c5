//! Sessions through the layer, as a client and a handler see them. Numbers are those of the cases that must hold.

mod ending;
mod expiry;
mod explicit;
mod failure;
mod hostile;
mod layers;
mod responses;
mod server;
mod set_cookie;
mod support;
