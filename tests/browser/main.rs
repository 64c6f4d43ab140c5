//! The example server's pages in a real browser: Chromium without a window.
//!
//! `cargo test` builds the example; `cargo test --test browser` alone does not. Pictures of the pages are left in
//! `screenshots` in cargo's target folder.

#[path = "../support/certificate.rs"]
mod certificate;
#[allow(dead_code, reason = "the contract's tests use the rest")]
#[path = "../support/example_server.rs"]
mod server;
#[allow(dead_code, reason = "the stores' tests use the rest")]
#[path = "../support/mod.rs"]
mod support;

mod browser;
mod chromium;
mod driver;
mod tls_proxy;
mod tour;

mod accessibility;
mod account;
mod cart;
mod contrast;
mod cookie;
mod device;
mod flash;
mod form_post;
mod keyboard;
mod layout;
mod live;
mod logins;
mod plain_http;
mod preferences;
mod protected;
mod registration;
mod tls;
