//! Sessions that are copied from one store to another.

use std::{
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime},
};

use axum::Router;
use http::StatusCode;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use wiz_session::{Handle, Key, Record, SessionStore, SqliteStore, Version, store::Replaced};

use crate::{
    client::Client,
    place::{self, Place},
    shop,
    support::program,
    tool::Ended,
};

const KEY: [u8; 64] = [7; 64];

fn app(store: impl SessionStore) -> Router {
    shop::app_with(store, Key::from(&KEY))
}

/// Somebody who knows what must be in their session.
struct Shopper {
    client: Client,
    log_in: String,
    visits: u64,
    is_logged_out: bool,
}

impl Shopper {
    async fn arrive(app: &Router, number: usize) -> Self {
        let (mut client, log_in) = (Client::default(), format!("/log_in/user{number}"));
        client.visit(app, &log_in).await;
        Self {
            client,
            log_in,
            visits: 0,
            is_logged_out: false,
        }
    }

    async fn visit(&mut self, app: &Router) {
        let answer = self.client.visit(app, "/visits").await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        assert_eq!(answer.body, self.visits.to_string(), "no visit is lost");
        self.visits += 1;
    }

    /// Visits, at times logs in anew, and in the end perhaps logs out.
    async fn shop(mut self, app: Router, closes: Arc<AtomicBool>) -> Self {
        while !closes.load(Ordering::Relaxed) {
            self.visit(&app).await;
            if fastrand::u8(..8) == 0 {
                self.client.visit(&app, &self.log_in).await;
            }
        }
        if fastrand::bool() {
            let cookie = self.client.clone();
            self.client.visit(&app, "/log_out").await;
            (self.client, self.is_logged_out) = (cookie, true);
        }
        self
    }
}

/// While the shoppers are at it, and again when they have paused.
async fn moves<A: SessionStore + Clone, B: SessionStore + Clone>(
    from: &Place<A>,
    to: &Place<B>,
    shoppers: Vec<Shopper>,
) -> Vec<Shopper> {
    let (old, closes) = (app(from.store.clone()), Arc::new(AtomicBool::new(false)));
    let mut at_it = JoinSet::new();
    for shopper in shoppers {
        at_it.spawn(shopper.shop(old.clone(), Arc::clone(&closes)));
    }
    to.tool.run(&["migrate"]).done();
    for _ in 0..2 {
        let copied = tokio::task::block_in_place(|| from.tool.copy_to(&to.tool, &["--json"]));
        assert_eq!(copied.json()["damaged"], 0);
    }
    closes.store(true, Ordering::Relaxed);
    let shoppers = at_it.join_all().await;
    let copied = from.tool.copy_to(&to.tool, &["--mirror"]);
    copied.done();
    let again = from.tool.copy_to(&to.tool, &["--mirror", "--json"]).json();
    for count in ["created", "replaced", "kept", "ended"] {
        assert_eq!(again[count], 0, "it was all copied: {again}");
    }

    let (new, now) = (app(to.store.clone()), SystemTime::now());
    let counts = (from.store.count(now).await, to.store.count(now).await);
    assert_eq!(counts.0.expect("a count"), counts.1.expect("a count"));
    let mut stayed = Vec::new();
    for mut shopper in shoppers {
        if shopper.is_logged_out {
            let answer = shopper.client.peek(&new, "/visits").await;
            assert_eq!(answer.body, "0", "who has logged out stays logged out");
        } else {
            shopper.visit(&new).await;
            stayed.push(shopper);
        }
    }
    stayed
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sessions_move_through_all_kinds_of_stores_while_they_are_used() {
    let (sqlite, redis) = (place::sqlite().await, place::redis().await);
    let (postgres, cluster) = (place::postgres().await, place::cluster().await);
    let (mysql, last) = (place::mysql().await, place::sqlite().await);
    sqlite.tool.run(&["migrate"]).done();
    let start = app(sqlite.store.clone());
    let mut shoppers = Vec::new();
    for number in 0..60 {
        shoppers.push(Shopper::arrive(&start, number).await);
    }
    let shoppers = moves(&sqlite, &redis, shoppers).await;
    let shoppers = moves(&redis, &postgres, shoppers).await;
    let mut shoppers = moves(&postgres, &last, shoppers).await;
    for number in 0..30 {
        shoppers.push(Shopper::arrive(&app(last.store.clone()), number).await);
    }
    let shoppers = moves(&last, &cluster, shoppers).await;
    let shoppers = moves(&cluster, &mysql, shoppers).await;
    println!("{} shoppers stayed to the end", shoppers.len());
}

async fn two_files() -> (Place<SqliteStore>, Place<SqliteStore>) {
    let (from, to) = (place::sqlite().await, place::sqlite().await);
    from.store.migrate().await.expect("a table");
    to.store.migrate().await.expect("a table");
    (from, to)
}

/// Many sessions that live for an hour.
async fn fill(place: &Place<SqliteStore>, sessions: u64) {
    let copies = format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {sessions}) \
         INSERT INTO wiz_sessions (handle, version, expires_at, sweep_at, tombstone, record) \
         SELECT printf('%032x', i), 1, {end}, {end}, 0, '{JSON}' FROM n",
        end = 253_402_300_799_999_u64,
    );
    let copies = sqlx::query(sqlx::AssertSqlSafe(copies.as_str()));
    copies.execute(place.store.pool()).await.expect("copies");
}

const JSON: &str = r#"{"v":1,"created_at":1,"deadline":253402300799999,"data":{"n":1}}"#;

fn handle(number: u128) -> Handle {
    Handle::from_bytes(number.to_be_bytes())
}

async fn count(place: &Place<SqliteStore>) -> u64 {
    let count = place.store.count(SystemTime::now()).await;
    count.expect("a count")
}

#[tokio::test]
async fn a_dry_run_says_what_it_would_do_and_changes_nothing() {
    let (from, to) = two_files().await;
    fill(&from, 3).await;
    shop::expired(&from.store).await;
    let told = from.tool.copy_to(&to.tool, &["--dry-run", "--mirror"]);
    let says = "3 sessions copied, 1 session expired and left out; nothing was changed, as this was a dry run";
    assert_eq!(told.done(), says);
    assert_eq!(count(&to).await, 0);
    from.tool.copy_to(&to.tool, &[]).done();
    from.store.delete(handle(1)).await.expect("a delete");
    let told = from
        .tool
        .copy_to(&to.tool, &["--dry-run", "--mirror", "--json"]);
    let counts = json!({
        "created": 0, "replaced": 0, "unchanged": 2, "kept": 0, "expired": 1, "ended": 1, "damaged": 0,
        "dry_run": true, "interrupted": false, "cursor": null,
    });
    assert_eq!(told.json(), counts);
    assert_eq!(count(&to).await, 3);
}

#[tokio::test]
async fn a_terminal_shows_how_far_a_copy_is() {
    let (from, to) = two_files().await;
    fill(&from, 1_000).await;
    let script = program("script", &["/usr/bin"], "apt-get install -y bsdutils");
    let tool = env!("CARGO_BIN_EXE_wiz-session");
    let copy = from.tool.copy_command(&to.tool, &[]);
    let mut on_a_terminal = Command::new(script);
    on_a_terminal.args([
        "-q",
        "-e",
        "-c",
        &format!("{tool} copy --batch 10"),
        "/dev/null",
    ]);
    for (name, value) in copy.get_envs() {
        on_a_terminal.env(name, value.unwrap_or_default());
    }
    let output = on_a_terminal
        .env("TERM", "xterm")
        .stdin(Stdio::null())
        .output();
    let output = output.expect("`script` runs");
    let screen = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{screen}");
    assert!(screen.contains(" of about 1,000 read, "), "{screen}");
    assert!(screen.contains('█'), "a bar: {screen}");
    let last = screen.trim_end().lines().last().unwrap_or_default();
    assert!(last.ends_with("1000 sessions copied"), "{screen}");
}

#[tokio::test]
async fn ctrl_c_tells_where_to_resume() {
    let all = 5_000;
    let (from, to) = two_files().await;
    fill(&from, all).await;
    let mut command = from
        .tool
        .copy_command(&to.tool, &["--batch", "20", "--json"]);
    let copy = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let copy = copy.spawn().expect("the tool runs");
    while count(&to).await == 0 {
        tokio::task::yield_now().await;
    }
    crate::sweeps::interrupt(&copy);
    let ended = Ended::from(copy.wait_with_output().expect("it ends"));
    assert_eq!((ended.code, &*ended.err), (Some(130), ""), "{ended:?}");
    let told: Value = serde_json::from_str(&ended.out).expect("JSON");
    let created = told["created"].as_u64().expect("a number");
    assert!(created < all && told["interrupted"] == true, "{told}");
    assert_eq!(count(&to).await, created, "not one more");

    let cursor = told["cursor"].as_str().expect("a cursor");
    let resumed = from.tool.copy_to(&to.tool, &["--after", cursor, "--json"]);
    let resumed = resumed.json();
    assert_eq!(resumed["created"], all - created, "not one twice");
    assert_eq!(resumed["unchanged"], 0, "{resumed}");
    assert_eq!(count(&to).await, all);
}

#[tokio::test]
async fn a_failure_tells_how_far_it_came_and_where_to_resume() {
    let (from, to) = two_files().await;
    fill(&from, 3_000).await;
    let mut command = from.tool.copy_command(&to.tool, &["--batch", "20"]);
    let copy = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let copy = copy.spawn().expect("the tool runs");
    while count(&to).await < 100 {
        tokio::task::yield_now().await;
    }
    let mut other = to.store.pool().acquire().await.expect("a connection");
    let lock = sqlx::query("BEGIN IMMEDIATE").execute(&mut *other).await;
    lock.expect("a lock");
    let ended = Ended::from(copy.wait_with_output().expect("it ends"));
    let copied = count(&to).await;
    let says = format!("wiz-session: {copied} sessions copied, then the session store failed");
    ended.fails(3, &says, "somebody else");
    ended.fails(3, &says, "then resume by the same command with `--after ");
}

/// Without `--mirror` the newer record wins, with it FROM's.
#[tokio::test]
async fn what_is_newer_in_the_target_is_kept() {
    let (from, to) = two_files().await;
    fill(&from, 3).await;
    from.tool.copy_to(&to.tool, &[]).done();
    let record = |n: u32| {
        let json = JSON.replace("{\"n\":1}", &format!("{{\"n\":{n}}}"));
        let end = SystemTime::now() + Duration::from_secs(60);
        Record::from_json(&json, Version::FIRST, end).expect("a record")
    };
    for (store, handle, n) in [
        (&from.store, handle(1), 10),
        (&to.store, handle(2), 20),
        (&to.store, handle(3), 30),
    ] {
        let replaced = store.replace(handle, Version::FIRST, &record(n)).await;
        assert!(matches!(replaced, Ok(Replaced::Stored(_))), "{replaced:?}");
    }
    from.store.delete(handle(3)).await.expect("a delete");

    let told = from.tool.copy_to(&to.tool, &[]);
    let says = "1 session brought up to date, 1 session newer in TO and kept";
    assert_eq!(told.done(), says);
    let n = async |handle| {
        let loaded = to.store.load(handle).await.expect("a load")?;
        let json: Value = serde_json::from_str(&loaded.to_json()).expect("JSON");
        json["data"]["n"].as_u64()
    };
    let all = [n(handle(1)).await, n(handle(2)).await, n(handle(3)).await];
    assert_eq!(all, [Some(10), Some(20), Some(30)]);

    let told = from.tool.copy_to(&to.tool, &["--mirror"]);
    let says = "1 session brought up to date, 1 session there already, 1 session ended in TO";
    assert_eq!(told.done(), says);
    let all = [n(handle(1)).await, n(handle(2)).await, n(handle(3)).await];
    assert_eq!(all, [Some(10), Some(1), None]);
}

#[tokio::test]
async fn a_damaged_session_is_named_and_left_out() {
    let (from, to) = two_files().await;
    fill(&from, 3).await;
    let damage = "UPDATE wiz_sessions SET record = 'hunter2' WHERE handle LIKE '%2'";
    let damage = sqlx::query(damage).execute(from.store.pool()).await;
    damage.expect("damage");
    for (command, out) in [
        (&["top"][..], handle(3).to_string()),
        (&["users"], String::new()),
    ] {
        let told = from.tool.run(command);
        assert!(told.out.contains(&out), "{told:?}");
        assert!(told.err.contains(&handle(2).to_string()), "{told:?}");
    }
    let told = from.tool.copy_to(&to.tool, &[]);
    assert_eq!(told.code, Some(3), "{told:?}");
    let says = "2 sessions copied, 1 session unreadable and left out\n";
    assert_eq!(told.out, says);
    let says = format!("left out 1 session that cannot be read: {}", handle(2));
    assert!(told.err.contains(&says) && told.err.contains("revoke"));
    assert!(!told.err.contains("hunter2"), "{told:?}");
}

#[tokio::test]
async fn a_copy_that_makes_no_sense_is_refused() {
    let (from, to) = two_files().await;
    let same = from.tool.copy_to(&from.tool, &[]);
    same.fails(2, "FROM and TO are the same store", "two tables");
    let foreign = from.tool.copy_to(&to.tool, &["--after", "5461:17"]);
    foreign.fails(3, "the cursor belongs to a scan of another store", "");
    let no_table = place::sqlite().await;
    let ended = from.tool.copy_to(&no_table.tool, &[]);
    assert_eq!(ended.done(), "no session to copy", "nothing to write");
    fill(&from, 1).await;
    let ended = from.tool.copy_to(&no_table.tool, &[]);
    ended.fails(3, "no such table", "run `wiz-session migrate` first");
}
