//! Redis and PostgreSQL, against `tower-sessions-redis-store` and `tower-sessions-sqlx-store`.

pub mod away;
mod contestants;
mod hot;
mod load;
mod pgbench;
pub mod processors;
pub mod proxy;
pub mod servers;
mod trips;

use axum::Router;
use http::HeaderValue;
use tokio::runtime::Runtime;

use self::{contestants::Contestant, proxy::Protocol, servers::Server};
use crate::{
    routes,
    stage::{call, cookies_of, request},
};

/// Of each pool, but where round trips are counted.
const CONNECTIONS: u32 = 10;

struct Database {
    name: &'static str,
    contestants: &'static [Contestant],
    protocol: Protocol,
    server: Server,
    /// What they all run with.
    settings: &'static str,
}

pub const ALL: [&str; 2] = ["Redis", "PostgreSQL"];

pub fn measure(names: &[&str]) {
    for name in names {
        match named(name) {
            (Some(database), _) => database.measure(),
            (None, package) => println!("\nNo {package}: `apt-get install -y {package}`"),
        }
    }
    println!(
        "\n`tower_sessions_signed` is tower-sessions 0.14 here, with tower-sessions-redis-store 0.16 and \
         tower-sessions-sqlx-store 0.15: these are their latest, and not for 0.15. Cookies are signed throughout."
    );
}

pub fn spin(name: &str, contestant: &str, requested: &str) {
    let (database, _) = named(name);
    let database = database.expect("the server is installed");
    runtime().block_on(load::spin(&database, contestant, requested));
}

/// The database, if it is installed, and its package.
fn named(name: &str) -> (Option<Database>, &'static str) {
    match name {
        "Redis" => (redis(), "redis-server"),
        "PostgreSQL" => (postgres(), "postgresql"),
        _ => panic!("Redis or PostgreSQL"),
    }
}

fn redis() -> Option<Database> {
    Some(Database {
        name: "Redis",
        contestants: &contestants::ON_REDIS,
        protocol: Protocol::Redis,
        server: servers::redis()?,
        settings: "The server keeps all in memory (`save \"\"`, `appendonly no`). The library has one connection, its \
            peer six, as its documentation shows it, or one; either sends without waiting for one another.",
    })
}

fn postgres() -> Option<Database> {
    Some(Database {
        name: "PostgreSQL",
        contestants: &contestants::ON_POSTGRES,
        protocol: Protocol::Postgres,
        server: servers::postgres()?,
        settings: "The server has its defaults: each commit waits for the disk (`fsync`, `synchronous_commit` on). \
            The library shares 10 connections among all requests, its peer has a pool of 10.",
    })
}

pub fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime starts")
}

impl Database {
    fn measure(&self) {
        let runtime = runtime();
        if let Protocol::Postgres = self.protocol {
            runtime.block_on(pgbench::measure(self));
        }
        runtime.block_on(trips::measure(self));
        runtime.block_on(load::measure(self));
        runtime.block_on(hot::measure(self));
    }

    fn url(&self, port: u16) -> String {
        match self.protocol {
            Protocol::Redis => format!("redis://127.0.0.1:{port}/"),
            Protocol::Postgres => format!("postgres://postgres@127.0.0.1:{port}/postgres"),
        }
    }
}

/// The `Cookie` header of a new session of 3 small keys.
pub async fn session(app: &Router) -> HeaderValue {
    let response = call(&mut app.clone(), request(routes::FILL_SMALL, None)).await;
    HeaderValue::try_from(cookies_of(&response)).expect("cookies are ASCII")
}
