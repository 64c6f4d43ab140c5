//! The example server as its clients see it: the real binary, on a real port, every route and
//! every promise of its contract.
//!
//! Run with `cargo test`, which builds the examples first; `cargo test --test contract` alone does
//! not.

mod bearer;
mod bodies;
#[path = "../support/http_browser.rs"]
mod browser;
mod cart;
#[path = "../support/certificate.rs"]
mod certificate;
mod cookie;
mod device;
mod events;
mod flash;
mod login;
mod logins;
mod pages;
mod preferences;
mod process;
mod protected;
mod registration;
#[path = "../support/example_server.rs"]
mod server;
mod session;
mod websocket;
