//! Servers whose clock is not the application's.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use redis::cmd;
use wiz_session::store::conformance;

use crate::{races, servers::Redis};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_clock_that_is_ahead_ends_no_session() {
    all_holds_at(3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_clock_that_is_behind_loses_no_session() {
    all_holds_at(-3).await;
}

async fn all_holds_at(hours: i32) {
    let redis = Redis::start_with_wrong_clock(hours);
    let (there, _): (u64, u64) = redis.ask(&cmd("TIME")).await;
    let here = SystemTime::now().duration_since(UNIX_EPOCH);
    let wrong = there as i64 - here.unwrap_or(Duration::ZERO).as_secs() as i64;
    assert!((wrong - i64::from(hours) * 3600).abs() < 60, "{wrong}");
    conformance::run(redis.store().await).await;
    races::run(redis.store().await.with_prefix("races:"), 1).await;
}
