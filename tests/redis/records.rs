//! The string that holds a record: damaged, of another type, changed by writes and touches.

use std::time::{Duration, SystemTime};

use redis::cmd;
use wiz_session::{
    Error, Handle, Record, RedisStore, SessionStore, Version,
    store::{Created, Replaced},
};

use crate::servers::{self, Redis};

const HANDLE: Handle = Handle::from_bytes([1; 16]);
const OTHER: Handle = Handle::from_bytes([2; 16]);

fn record(rest: &str) -> Record {
    let json = format!(
        r#"{{"v":1,"created_at":1700000000000,"deadline":1700043200000,{rest}"data":{{}}}}"#
    );
    let end = SystemTime::now() + Duration::from_secs(60);
    Record::from_json(&json, Version::FIRST, end).expect("a record of the first format")
}

fn name() -> String {
    format!("wiz:s:{HANDLE}")
}

async fn value(redis: &Redis) -> Vec<u8> {
    redis.ask(cmd("GET").arg(name())).await
}

async fn put(redis: &Redis, value: &[u8]) {
    redis.ask::<String>(cmd("SET").arg(name()).arg(value)).await;
}

/// Of all that would read, write or move it.
async fn errors(store: &RedisStore) -> Vec<Error> {
    let end = SystemTime::now() + Duration::from_secs(120);
    let (anonymous, users, stone) = (
        record(""),
        record(r#""user":"alice","#),
        record(r#""tombstone":true,"#),
    );
    let mut errors = vec![
        store.load(HANDLE).await.map(drop),
        store.touch(HANDLE, end).await.map(drop),
    ];
    for record in [anonymous, users] {
        errors.push(
            store
                .replace(HANDLE, Version::FIRST, &record)
                .await
                .map(drop),
        );
        let moved = store.regenerate(HANDLE, Version::FIRST, &stone, OTHER, &record);
        errors.push(moved.await.map(drop));
    }
    let errors = errors.into_iter().map(Result::err);
    errors.collect::<Option<_>>().expect("none does it")
}

#[tokio::test]
async fn a_damaged_record_is_an_error_and_stays_until_it_is_ended() {
    let redis = Redis::start(&[]);
    let store = redis.store().await;
    let created = store.create(HANDLE, &record(r#""user":"alice","#)).await;
    assert_eq!(created.ok(), Some(Created::Created));
    let whole = value(&redis).await;
    let overwritten = |at: usize, bytes: &[u8]| {
        let mut value = whole.clone();
        value.splice(at..at + bytes.len(), bytes.iter().copied());
        value
    };
    let damaged = [
        b"hunter2".to_vec(),
        Vec::new(),
        vec![0xff; 500],
        vec![b'0'; 500],
        whole[..30].to_vec(),
        whole[..61].to_vec(),
        overwritten(1, b"x"),
        overwritten(21, b"-"),
        overwritten(37, b"x"),
        overwritten(61, b" "),
    ];
    for bytes in damaged {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        put(&redis, &bytes).await;
        for error in errors(&store).await {
            let said = error.to_string();
            assert!(
                said.contains("its head is damaged") && error.is_store(),
                "{said}: {text}"
            );
        }
        let created = store.create(HANDLE, &record("")).await;
        assert_eq!(created.ok(), Some(Created::Exists), "{text}");
        let late = SystemTime::now() + Duration::from_secs(3600);
        assert_eq!(store.delete_expired(late, 10).await.ok(), Some(0), "{text}");
        assert_eq!(value(&redis).await, bytes, "nothing touched it");
        assert!(matches!(store.load(OTHER).await, Ok(None)));

        assert_eq!(store.delete(HANDLE).await.ok(), Some(true), "{text}");
        put(&redis, &bytes).await;
        let ended = store.delete_user("alice", None).await;
        assert_eq!(ended.ok(), Some(1), "the index has it: {text}");
        assert!(matches!(store.load(HANDLE).await, Ok(None)));
        store
            .create(HANDLE, &record(r#""user":"alice","#))
            .await
            .expect("the place is free");
    }
}

#[tokio::test]
async fn a_key_of_another_type_is_an_error_and_stays() {
    let redis = Redis::start(&[]);
    let store = redis.store().await;
    let mut set = cmd("HSET");
    set.arg(name()).arg("version").arg(1);
    redis.ask::<usize>(&set).await;
    let mut errors = errors(&store).await;
    errors.extend(store.delete(HANDLE).await.err());
    errors.extend(store.count(SystemTime::now()).await.err());
    assert_eq!(errors.len(), 8);
    for error in errors {
        let said = error.to_string();
        assert!(said.contains("give the store other keys"), "{said}");
    }
    let created = store.create(HANDLE, &record("")).await;
    assert_eq!(created.ok(), Some(Created::Exists));
    let left: usize = redis.ask(cmd("HLEN").arg(name())).await;
    assert_eq!(left, 1);
}

#[tokio::test]
async fn a_write_keeps_the_time_that_redis_has_to_keep_it() {
    let redis = Redis::start(&[]);
    let store = redis.store().await;
    let data = record("");
    store
        .create(HANDLE, &data)
        .await
        .expect("the server is there");
    let left = async || redis.ask::<i64>(cmd("TTL").arg(name())).await;
    let near = |seconds: i64, whole: i64| (0..5).contains(&(whole + 300 - seconds));
    assert!(near(left().await, 60));

    let later = SystemTime::now() + Duration::from_secs(600);
    let longer = data.clone().with_expires_at(later);
    let replaced = store.replace(HANDLE, Version::FIRST, &longer).await;
    assert_eq!(replaced.ok(), Some(Replaced::Stored(Version::new(2))));
    assert!(near(left().await, 600));

    let before = value(&redis).await;
    store
        .touch(HANDLE, SystemTime::now())
        .await
        .expect("it is there");
    assert_eq!(value(&redis).await, before, "never to earlier");
    let later = SystemTime::now() + Duration::from_secs(900);
    store.touch(HANDLE, later).await.expect("it is there");
    let after = value(&redis).await;
    assert!(near(left().await, 900));
    assert_eq!(
        (after.len(), &after[15..]),
        (before.len(), &before[15..]),
        "nothing but the end"
    );
    let record = store.load(HANDLE).await.ok().flatten();
    let ends = record.map(|record| record.expires_at());
    assert!(ends.is_some_and(|end| later.duration_since(end).is_ok_and(|d| d.as_millis() == 0)));

    let new = Handle::from_bytes([2; 16]);
    let stone = r#"{"v":1,"created_at":1,"deadline":253402300799999,"tombstone":true,"data":{}}"#;
    let ends = SystemTime::now() + Duration::from_secs(30);
    let stone = Record::from_json(stone, Version::FIRST, ends).expect("a tombstone");
    let data = r#"{"v":1,"created_at":1,"deadline":253402300799999,"data":{}}"#;
    let ends = SystemTime::now() + Duration::from_secs(60);
    let data = Record::from_json(data, Version::FIRST, ends).expect("a record");
    let moved = store.regenerate(HANDLE, Version::new(2), &stone, new, &data);
    assert_eq!(moved.await.ok(), Some(Replaced::Stored(Version::FIRST)));
    assert!(near(left().await, 30));
    let name = format!("wiz:s:{new}");
    assert!(near(redis.ask(cmd("TTL").arg(name)).await, 60));
}

/// It is in its user's index for longer, as it may be touched until its deadline.
#[tokio::test]
async fn a_write_of_a_users_session_keeps_it_for_its_own_time() {
    let redis = Redis::start(&[]);
    let store = redis.store().await;
    let theirs = r#"{"v":1,"created_at":1,"deadline":253402300799999,"user":"alice","data":{}}"#;
    let ends = SystemTime::now() + Duration::from_secs(60);
    let theirs = Record::from_json(theirs, Version::FIRST, ends).expect("a record");
    let created = store.create(HANDLE, &theirs).await;
    assert_eq!(created.ok(), Some(Created::Created));
    let replaced = store.replace(HANDLE, Version::FIRST, &theirs).await;
    assert_eq!(replaced.ok(), Some(Replaced::Stored(Version::new(2))));
    let left: i64 = redis.ask(cmd("TTL").arg(name())).await;
    assert!((60 + 295..=60 + 300).contains(&left), "{left}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_changes_hands_is_found_by_its_new_user_only() {
    changes_hands(servers::store().await).await;
    changes_hands(servers::cluster_store().await).await;
}

async fn changes_hands(store: RedisStore) {
    // All to be found for as long: what differs is the user.
    let end = SystemTime::now() + Duration::from_secs(60);
    let of = |user: &str| record(&format!(r#""user":"{user}","#)).with_expires_at(end);
    let listed = async |user: &str| store.list(user).await.expect("the server is there").len();
    let users = ["alice", "carol", "ali", "", "alice", "앨리스"];
    let created = store.create(HANDLE, &of(users[0])).await;
    assert_eq!(created.ok(), Some(Created::Created));
    for (version, pair) in (1..).map(Version::new).zip(users.windows(2)) {
        let [before, after] = pair else {
            unreachable!("windows of two")
        };
        let replaced = store.replace(HANDLE, version, &of(after)).await;
        assert_eq!(replaced.ok(), Some(Replaced::Stored(version.next())));
        assert_eq!(listed(after).await, 1, "{before} to {after}");
        assert_eq!(store.delete_user(before, None).await.ok(), Some(0));
        assert_eq!(listed(before).await, 0, "{before} to {after}");
        assert_eq!(listed(after).await, 1, "{before} to {after}");
    }
    assert_eq!(store.delete_user("앨리스", None).await.ok(), Some(1));
}
