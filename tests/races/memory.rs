//! The capacity of the memory store, as its users see it.

use std::time::{Duration, SystemTime};

use wiz_session::{
    Clock, Handle, Key, MemoryStore, Record, SessionStore, Version, WizSessionLayer,
    store::{Created, Replaced},
};

const MINUTE: Duration = Duration::from_secs(60);

fn record(user: Option<&str>, expires_at: SystemTime) -> Record {
    let user = user.map_or(String::new(), |user| format!(r#""user":"{user}","#));
    let json = format!(r#"{{"v":1,"created_at":1,"deadline":253402300799999,{user}"data":{{}}}}"#);
    Record::from_json(&json, Version::FIRST, expires_at).unwrap()
}

fn tombstone() -> Record {
    let json = r#"{"v":1,"created_at":1,"deadline":1,"tombstone":true,"data":{}}"#;
    Record::from_json(json, Version::FIRST, SystemTime::now() + MINUTE / 2).unwrap()
}

fn handle() -> Handle {
    Handle::from_bytes(fastrand::u128(..).to_ne_bytes())
}

async fn create(store: &MemoryStore, user: Option<&str>) -> Result<Handle, wiz_session::Error> {
    let handle = handle();
    let record = record(user, SystemTime::now() + 30 * MINUTE);
    assert_eq!(store.create(handle, &record).await?, Created::Created);
    Ok(handle)
}

async fn left(store: &MemoryStore, handles: &[Handle]) -> usize {
    let mut left = 0;
    for handle in handles {
        left += usize::from(store.load(*handle).await.unwrap().is_some());
    }
    left
}

/// A store of a thousand with five hundred carts in it.
async fn with_carts() -> (MemoryStore, Vec<Handle>) {
    let store = MemoryStore::with_max_sessions(1_000);
    let mut carts = Vec::new();
    for _ in 0..500 {
        carts.push(create(&store, None).await.unwrap());
    }
    (store, carts)
}

#[tokio::test]
async fn a_client_that_logs_in_all_the_time_pushes_out_nobody() {
    let (store, carts) = with_carts().await;
    let mut session = create(&store, Some("alice")).await.unwrap();
    for _ in 0..1_500 {
        let (next, user) = (handle(), Some("alice"));
        let moved = record(user, SystemTime::now() + 30 * MINUTE);
        let left = tombstone();
        let answer = store.regenerate(session, Version::FIRST, &left, next, &moved);
        assert_eq!(answer.await.unwrap(), Replaced::Stored(Version::FIRST));
        session = next;
    }
    create(&store, Some("bob")).await.unwrap();
    assert_eq!(left(&store, &carts).await, 500);
    assert_eq!(left(&store, &[session]).await, 1);
}

#[tokio::test]
async fn an_account_with_a_thousand_logins_pushes_out_nobody() {
    let (store, carts) = with_carts().await;
    let mut others = Vec::new();
    for n in 0..1_500 {
        create(&store, Some("alice")).await.unwrap();
        if n % 10 == 0 {
            let user = format!("user {n}");
            others.push(create(&store, Some(&user)).await.unwrap());
        }
    }
    assert_eq!(left(&store, &carts).await, 500);
    assert_eq!(left(&store, &others).await, others.len());
    assert_eq!(store.count(SystemTime::now()).await.unwrap(), 1_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn logins_from_many_threads_push_out_nobody() {
    let (store, carts) = with_carts().await;
    let workers = (0..4).map(|worker| {
        let store = store.clone();
        tokio::spawn(async move {
            for n in 0..500 {
                create(&store, Some("alice")).await.unwrap();
                if n % 10 == 0 {
                    let user = format!("user {worker} {n}");
                    create(&store, Some(&user)).await.unwrap();
                }
            }
        })
    });
    for worker in workers.collect::<Vec<_>>() {
        worker.await.unwrap();
    }
    assert_eq!(left(&store, &carts).await, 500);
    for worker in 0..4 {
        let user = format!("user {worker} 490");
        assert_eq!(store.list(&user).await.unwrap().len(), 1);
    }
    assert!(store.count(SystemTime::now()).await.unwrap() <= 1_000);
}

/// Creates in such a number that each part of the store was swept.
async fn sweep(store: &MemoryStore) {
    for _ in 0..2_400 {
        create(store, None).await.unwrap();
    }
}

#[tokio::test]
async fn it_sweeps_by_the_clock_of_the_layer_five_minutes_late() {
    let (store, clock) = (MemoryStore::new(), Clock::manual());
    let clone = store.clone();
    let layer = WizSessionLayer::builder(clone, Key::generate()).clock(clock.clone());
    let _layer = layer.build().unwrap();
    let session = handle();
    let expires_soon = record(Some("alice"), SystemTime::now() + MINUTE);
    store.create(session, &expires_soon).await.unwrap();

    clock.advance(5 * MINUTE);
    sweep(&store).await;
    assert_eq!(left(&store, &[session]).await, 1);
    clock.advance(2 * MINUTE);
    sweep(&store).await;
    assert_eq!(left(&store, &[session]).await, 0);
}

#[tokio::test]
async fn both_limits_are_set_by_the_builder() {
    let store = MemoryStore::builder()
        .max_sessions(20)
        .max_bytes(3_000)
        .build();
    for _ in 0..100 {
        create(&store, None).await.unwrap();
    }
    let count = store.count(SystemTime::now()).await.unwrap();
    assert!((10..20).contains(&count), "{count} of little data");
    assert!(format!("{store:?}").contains("max_bytes: 3000"));
}
