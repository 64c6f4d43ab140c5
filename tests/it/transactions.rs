//! `transaction`: run on the newest data, and answered from what was committed.

use futures_util::future::join_all;
use serde_json::{Map, json};
use wiz_session::{Error, FlashLevel};

use crate::support::{Site, StoreMethod};

#[tokio::test]
async fn a_transaction_that_fails_on_old_data_is_run_on_the_newest() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let mut tab = browser.clone();
    browser
        .visit(async |session| {
            tab.write("tickets", 1).await;
            let left = session
                .transaction(|tx| {
                    let left: u32 = tx.get_or_default("tickets")?;
                    let left = left
                        .checked_sub(1)
                        .ok_or_else(|| Error::store("sold out"))?;
                    tx.set("tickets", left).map(|()| left)
                })
                .await;
            assert_eq!(left.unwrap(), 0);
        })
        .await;
}

#[tokio::test]
async fn a_transaction_answers_from_what_was_committed() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let mut tab = browser.clone();
    browser
        .visit(async |session| {
            tab.write("a", 5).await;
            assert_eq!(
                session.update("a", |a: &mut u32| *a += 1)?,
                2,
                "the snapshot"
            );
            let a = session
                .transaction(|tx| tx.update("a", |a: &mut u32| *a *= 10))
                .await?;
            assert_eq!(a, 60, "on what is pending, on the newest");
            assert_eq!(session.get("a")?, Some(60));
            tab.write("a", 7).await;
            let read = session.transaction(|tx| tx.get::<u32>("a")).await?;
            assert_eq!(read, Some(7), "reading, too, sees the newest");
            Ok::<_, Error>(())
        })
        .await
        .is_ok_without_cookie();
}

#[tokio::test]
async fn a_transaction_reads_and_writes_as_the_session_does() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    browser
        .visit(async |session| {
            let done = session.transaction(|tx| {
                let of = |key| (tx.get_value(key), tx.contains_key(key));
                let (a, missing) = (of("a"), of("missing"));
                let before = (tx.len(), tx.is_empty(), tx.to_map());
                tx.extend(json!({ "b": 2, "c": 3 }))?;
                let deleted = [tx.delete("a"), tx.delete("b"), tx.delete("missing")];
                let left = tx.keys();
                tx.delete("c");
                let is_empty = tx.is_empty();
                tx.flash(FlashLevel::Info, "hello")?;
                Ok::<_, Error>((a, missing, before, deleted, left, is_empty))
            });
            let (a, missing, before, deleted, left, is_empty) = done.await?;
            assert_eq!((a, missing), ((Some(json!(1)), true), (None, false)));
            let map = Map::from_iter([("a".to_owned(), json!(1))]);
            assert_eq!(before, (1, false, map));
            assert_eq!(deleted, [true, true, false]);
            assert_eq!((left, is_empty), (vec!["c".to_owned()], true));
            let flashes = session.take_flashes()?;
            assert_eq!(flashes.len(), 1);
            assert_eq!(flashes[0].message(), "hello");
            Ok::<_, Error>(())
        })
        .await
        .is_ok_without_cookie();
    assert_eq!(browser.read::<u32>("a").await, None);
}

#[tokio::test]
async fn a_transaction_that_fails_commits_nothing_and_leaves_what_is_pending() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    site.store.take_calls();
    browser
        .visit(async |session| {
            session.set("b", 2)?;
            let failed = session.transaction(|tx| {
                tx.set("c", 3)?;
                Err::<(), _>(Error::store("sold out"))
            });
            assert!(failed.await.unwrap_err().is_store());
            assert!(!session.contains_key("c"));
            assert_eq!(
                site.store.take_calls(),
                [StoreMethod::Load, StoreMethod::Load],
                "it was run on the newest data before it was believed"
            );
            Ok::<_, Error>(())
        })
        .await
        .is_ok_without_cookie();
    assert_eq!(
        (browser.read("b").await, browser.read::<u32>("c").await),
        (Some(2), None)
    );
}

#[tokio::test]
async fn transactions_of_one_new_visitor_make_one_session() {
    let site = Site::new();
    let mut browser = site.browser();
    let reply = browser
        .visit(async |session| {
            let count =
                |tx: &mut wiz_session::Transaction<'_>| tx.update("n", |n: &mut u32| *n += 1);
            let clones: Vec<_> = (0..10).map(|_| session.clone()).collect();
            let mut counts: Vec<u32> = join_all(clones.iter().map(|s| s.transaction(count)))
                .await
                .into_iter()
                .map(Result::unwrap)
                .collect();
            counts.sort_unstable();
            assert_eq!(counts, (1..=10).collect::<Vec<_>>());
        })
        .await;
    assert_eq!(reply.cookie().value(), browser.value());
    assert_eq!(
        (browser.read("n").await, site.sessions().await),
        (Some(10), 1)
    );
}

#[tokio::test]
async fn a_transaction_after_clear_begins_a_new_session() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let mut old = browser.clone();
    let reply = browser
        .visit(async |session| {
            session.clear();
            let keys = session.transaction(|tx| {
                tx.set("b", 2)?;
                Ok::<_, Error>(tx.keys())
            });
            assert_eq!(keys.await?, ["b"]);
            Ok::<_, Error>(())
        })
        .await;
    assert_eq!(reply.cookie().value(), browser.value());
    assert_eq!(
        (browser.read::<u32>("a").await, browser.read("b").await),
        (None, Some(2))
    );
    assert_eq!((old.handle().await, site.sessions().await), (None, 1));
}

#[tokio::test]
async fn a_transaction_that_changes_nothing_writes_nothing() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    browser
        .visit(async |session| {
            let same = session.transaction(|tx| {
                tx.set("a", 1)?;
                Ok::<_, Error>(tx.delete("b"))
            });
            assert!(!same.await?);
            Ok::<_, Error>(())
        })
        .await
        .is_ok_without_cookie();
    assert_eq!(
        site.store.take_calls(),
        [StoreMethod::Load, StoreMethod::Load]
    );
}

#[tokio::test]
async fn a_transaction_on_what_was_set_before_it_holds() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    browser
        .visit(async |session| {
            session.set("a", 2)?;
            session
                .transaction(|tx| tx.update("a", |a: &mut u32| *a += 100))
                .await?;
            assert_eq!(session.get("a")?, Some(102));
            Ok::<_, Error>(())
        })
        .await
        .is_ok_without_cookie();
    assert_eq!(browser.read("a").await, Some(102));
}
