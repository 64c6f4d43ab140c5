//! What the tests share: a site with the session layer, browsers that visit it, a store and a log to look into.

mod browser;
mod immediate;
mod log;
mod server;
mod site;

pub(crate) use wiz_session::test_util::{Fault, Gate, StoreMethod, TestStore};

pub(crate) use self::{
    browser::{Browser, Reply, handle, ignore},
    immediate::Immediate,
    log::Log,
    server::Server,
    site::{Site, key},
};
