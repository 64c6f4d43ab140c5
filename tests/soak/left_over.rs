//! What there is when all clients have left: nothing that was not there before.

use std::time::{Duration, SystemTime};

use tokio::time::{Instant, sleep};
use wiz_session::{BoxStore, Handle, SessionStore, Sweeper};

use crate::{
    connection::Connection,
    plan::Plan,
    process::Figures,
    request::{self, Identity},
    site::{CACHE, IDLE_TIMEOUT, Site, WATCH_INTERVAL},
    traffic::Traffic,
};

/// A thread that has verified a password waits ten seconds for another one, and so many verify at once.
const IDLE_THREADS: usize = 4;

/// Of each process to PostgreSQL: ten for sessions, and two for what takes longer. Redis takes fewer.
const CONNECTIONS: usize = 12;

/// Alice and Bob.
const USERS: [&str; 2] = ["123", "456"];

/// Checks all of it, and says it for people.
pub(crate) async fn after(
    site: &Site,
    before: &[Figures; 2],
    traffic: &Traffic,
    plan: &Plan,
) -> String {
    site.assert_no_panic();
    let sessions = traffic.reckoning.finish();
    let store = site.database.store().await;
    let live = live(&store).await;
    sessions.assert_may_live(&live);
    nobody_is_connected(site, before, plan).await;
    let listened = site.database.listeners().await;
    nothing_is_listened_for(site).await;
    all_expire(site, &store, plan).await;
    format!(
        "{} sessions began and {} were ended by their clients; {} were left to expire. {} connections listened to {} \
         sessions, and now none does; the descriptors are those of the beginning",
        sessions.len(),
        sessions.ended(),
        live.len(),
        listened.0,
        listened.1,
    )
}

/// Descriptors and threads are back to what they were. Connections to the database are kept for the next request.
async fn nobody_is_connected(site: &Site, before: &[Figures; 2], plan: &Plan) {
    // Only the long form waits for idle threads.
    let idle = if plan.is_long() { 0 } else { IDLE_THREADS };
    until(Duration::from_secs(20), || async {
        let now = site.figures();
        let is_as_before = now.iter().zip(before).all(|(now, before)| {
            now.descriptors == before.descriptors
                && now.threads <= before.threads + idle
                && now.database_connections <= CONNECTIONS + 1
        });
        match is_as_before {
            true => Ok(()),
            false => Err(format!("{before:?} became {now:?}")),
        }
    })
    .await;
}

/// What a cache holds is listened for, until the first entry after its time removes the others. When the last one is gone,
/// the feed's connection is closed: there is no watch and no entry any more.
async fn nothing_is_listened_for(site: &Site) {
    sleep(CACHE + Duration::from_secs(1)).await;
    for port in site.ports() {
        comes_and_goes(port).await;
    }
    until(2 * WATCH_INTERVAL + Duration::from_secs(5), || async {
        match site.database.listeners().await {
            (0, 0) => Ok(()),
            left => Err(format!("{left:?} connections and channels are left")),
        }
    })
    .await;
}

/// A visitor who begins a session and ends it.
async fn comes_and_goes(port: u16) {
    let mut connection = Connection::open(port).await.expect("it is there");
    let body = br#"{"product_id":1}"#;
    let mut out = Vec::new();
    request::head(
        "/api/add_to_cart",
        Some(body.len()),
        &Identity::Nobody,
        &mut out,
    );
    out.extend_from_slice(body);
    connection.send(&out).await.expect("it is sent");
    let answer = connection.answer().await.expect("an answer");
    let cookie = answer.cookie.expect("a session");
    out.clear();
    request::head("/api/logout", Some(0), &Identity::Cookie(cookie), &mut out);
    connection.send(&out).await.expect("it is sent");
    let answer = connection.answer().await.expect("an answer");
    assert_eq!(answer.status, 200);
}

/// The sessions that are alive, by the store.
async fn live(store: &BoxStore) -> Vec<Handle> {
    let (mut live, mut after, now) = (Vec::new(), None, SystemTime::now());
    loop {
        let page = store
            .scan(after.as_ref(), 1_000)
            .await
            .expect("it is there");
        for (handle, record) in page.sessions {
            let record = record.expect("it can be read");
            assert!(record.expires_at() <= now + IDLE_TIMEOUT + Duration::from_secs(5));
            if !record.is_tombstone() && record.expires_at() > now {
                live.push(handle);
            }
        }
        after = page.next;
        if after.is_none() {
            return live;
        }
    }
}

/// A sweep of PostgreSQL after that leaves no row. Redis removes each key by itself: in the long form that is waited for. A
/// user's index lives as long as a session of theirs may, but for who lists them, what is over is removed.
async fn all_expire(site: &Site, store: &BoxStore, plan: &Plan) {
    let end = IDLE_TIMEOUT + Sweeper::GRACE;
    let longest = site.database.longest_time_to_live().await;
    assert!(longest <= Some(end), "a session has {longest:?} to live");
    if plan.is_long() {
        until(end + Duration::from_secs(10), || async {
            match site.database.longest_time_to_live().await {
                None => Ok(()),
                left => Err(format!("there are keys for another {left:?}")),
            }
        })
        .await;
    }
    let swept = SystemTime::now() + end;
    while store
        .delete_expired(swept, 1_000)
        .await
        .expect("it is there")
        > 0
    {}
    for user in USERS {
        let sessions = store.list(user).await.expect("it is there");
        assert!(!plan.is_long() || sessions.is_empty(), "{sessions:?}");
    }
    if plan.is_long() || longest.is_none() {
        let left = site.database.everything().await;
        assert_eq!(left, 0, "rows or keys are left");
    }
}

async fn until<F: Future<Output = Result<(), String>>>(limit: Duration, look: impl Fn() -> F) {
    let end = Instant::now() + limit;
    while let Err(reason) = look().await {
        assert!(Instant::now() < end, "after {limit:?}: {reason}");
        sleep(Duration::from_millis(100)).await;
    }
}
