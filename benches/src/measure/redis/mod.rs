//! The Redis store by itself, without layer and router: its commands beside `redis-benchmark`, large sessions beside
//! small ones, and sweeps.

mod commands;
mod large;
mod sweep;

use std::time::{Duration, SystemTime};

use tokio::runtime::Runtime;
use wiz_session::{Handle, Record, RedisStore, Version};

use super::databases::servers::{self, Server};

pub const ALL: [(&str, fn()); 3] = [
    ("commands", commands::measure),
    ("large", large::measure),
    ("sweep", sweep::measure),
];

fn server() -> Server {
    servers::redis().expect("apt-get install -y redis-server redis-tools")
}

fn runtime() -> Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.worker_threads(2).enable_all().build();
    runtime.expect("a runtime starts")
}

async fn store(server: &Server) -> RedisStore {
    let store = RedisStore::connect(&format!("redis://127.0.0.1:{}/", server.port)).await;
    store.expect("the server is there")
}

/// Its last twelve digits are decimal, as `redis-benchmark` writes them.
fn handle(n: usize) -> Handle {
    format!("{n:032}").parse().expect("a handle")
}

fn record(bytes: usize, lives: Duration) -> Record {
    let value = "x".repeat(bytes);
    let json = format!(
        r#"{{"v":1,"created_at":1,"deadline":253402300799999,"data":{{"value":"{value}"}}}}"#
    );
    let record = Record::from_json(&json, Version::FIRST, SystemTime::now() + lives);
    record.expect("a record")
}
