//! Long sweeps: what a terminal shows of them, Ctrl-C, and a store that fails half way.

use std::process::{Child, Command, Stdio};

use wiz_session::SqliteStore;

use crate::{
    place::{self, Place},
    shop,
    support::{program, wait_for},
    tool::Ended,
};

/// A file with so many sessions that have expired.
async fn full(sessions: u64) -> Place<SqliteStore> {
    let place = place::sqlite().await;
    place.store.migrate().await.expect("a table");
    shop::expired(&place.store).await;
    let copies = format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {}) \
         INSERT INTO wiz_sessions SELECT printf('%032x', i), version, user_id, expires_at, sweep_at, tombstone, record \
         FROM wiz_sessions, n",
        sessions - 1
    );
    let pool = place.store.pool();
    sqlx::query(sqlx::AssertSqlSafe(copies.as_str()))
        .execute(pool)
        .await
        .expect("copies");
    assert_eq!(left(&place).await, sessions);
    place
}

async fn left(place: &Place<SqliteStore>) -> u64 {
    let left = place.store.count_expired(std::time::SystemTime::now());
    left.await.expect("a count")
}

#[tokio::test]
async fn a_terminal_shows_how_far_it_is() {
    let place = full(20_000).await;
    let script = program("script", &["/usr/bin"], "apt-get install -y bsdutils");
    let sweep = format!("{} sweep --batch 100", env!("CARGO_BIN_EXE_wiz-session"));
    let url = format!(
        "sqlite:{}",
        place
            .folder
            .as_ref()
            .expect("a folder")
            .path()
            .join("sessions.db")
            .display()
    );
    let output = Command::new(script)
        .args(["-q", "-e", "-c", &sweep, "/dev/null"])
        .env("WIZ_SESSION_STORE", url)
        .env("TERM", "xterm")
        .stdin(Stdio::null())
        .output()
        .expect("`script` runs");
    let screen = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{screen}");
    assert!(screen.contains(" of 20,000 deleted, "), "{screen}");
    assert!(screen.contains('█'), "a bar: {screen}");
    let last = screen.trim_end().lines().last().unwrap_or_default();
    assert!(last.ends_with("20000 expired sessions deleted"), "{screen}");
    assert_eq!(left(&place).await, 0);
}

#[tokio::test]
async fn a_pipe_gets_the_answer_only() {
    let place = full(20_000).await;
    let told = place.tool.run(&["sweep", "--batch", "100"]);
    assert_eq!(told.done(), "20000 expired sessions deleted");
}

#[tokio::test]
async fn ctrl_c_stops_after_the_batch_and_tells_the_count() {
    let all = 200_000;
    let place = full(all).await;
    let sweep = spawn(&place, &["sweep", "--batch", "10", "--json"]);
    begun(&place, all).await;
    interrupt(&sweep);
    let ended = Ended::from(sweep.wait_with_output().expect("it ends"));
    assert_eq!((ended.code, &*ended.err), (Some(130), ""), "{ended:?}");
    let told: serde_json::Value = serde_json::from_str(&ended.out).expect("JSON");
    assert_eq!(told["interrupted"], true);
    let deleted = told["deleted"].as_u64().expect("a number");
    assert!(deleted > 0 && deleted < all, "{told}");
    assert_eq!(left(&place).await, all - deleted, "not one more");
}

/// Somebody else writes for so long that the batch does not come to an end.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_second_ctrl_c_stops_at_once() {
    let place = full(10).await;
    let mut other = place.store.pool().acquire().await.expect("a connection");
    let lock = sqlx::query("BEGIN IMMEDIATE").execute(&mut *other).await;
    lock.expect("a lock");
    let mut sweep = spawn(&place, &["sweep"]);
    wait_for("it to watch for Ctrl-C", || watches(&sweep).then_some(()));
    let status = wait_for("its end", || {
        interrupt(&sweep);
        sweep.try_wait().expect("a child")
    });
    assert_eq!(status.code(), Some(130));
    assert_eq!(left(&place).await, 10);
}

/// Somebody else writes for longer than SQLite waits.
#[tokio::test]
async fn a_failure_tells_what_was_deleted_before() {
    let all = 200_000;
    let place = full(all).await;
    let sweep = spawn(&place, &["sweep", "--batch", "10"]);
    begun(&place, all).await;
    let mut other = place.store.pool().acquire().await.expect("a connection");
    let lock = sqlx::query("BEGIN IMMEDIATE").execute(&mut *other).await;
    lock.expect("a lock");
    let ended = Ended::from(sweep.wait_with_output().expect("it ends"));
    let deleted = all - left(&place).await;
    let says =
        format!("wiz-session: {deleted} expired sessions deleted, then the session store failed");
    ended.fails(3, &says, "somebody else");
}

async fn begun(place: &Place<SqliteStore>, all: u64) {
    while left(place).await == all {
        tokio::task::yield_now().await;
    }
}

fn spawn(place: &Place<SqliteStore>, arguments: &[&str]) -> Child {
    let mut command = place.tool.command(arguments);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("the tool runs")
}

pub(crate) fn interrupt(child: &Child) {
    let pid = child.id().to_string();
    let status = Command::new("kill").args(["-INT", &pid]).status();
    assert!(status.expect("`kill` runs").success());
}

/// Whether it has a handler for the second of the signals.
#[cfg(target_os = "linux")]
fn watches(child: &Child) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id()));
    let caught = status.ok().and_then(|status| {
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("SigCgt:"))?;
        u64::from_str_radix(line.trim(), 16).ok()
    });
    caught.is_some_and(|signals| signals & 0b10 != 0)
}
