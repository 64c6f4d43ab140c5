//! What the tests share: a site with the session layer, browsers that visit it, a store and a log to look into.

mod browser;
mod log;
mod probe;
mod server;
mod site;

pub(crate) use self::{
    browser::{Browser, Reply, handle, ignore},
    log::Log,
    probe::{Fault, Gate, Probe, Verb},
    server::Server,
    site::{Site, key},
};
