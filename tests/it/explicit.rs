//! `save`, `reload` and `transaction`; and what a commit replays when another request was faster.

use std::pin::pin;

use futures_util::future::join_all;
use http::StatusCode;
use wiz_session::Error;

use crate::support::{Fault, Site, StoreMethod};

#[tokio::test]
async fn save_stores_now_and_the_response_still_carries_the_cookie() {
    let site = Site::new();
    let mut browser = site.browser();
    let reply = browser
        .visit(async |session| {
            session.set("a", 1)?;
            session.save().await?;
            assert!(!session.is_new());
            assert_eq!(site.store.take_calls(), [StoreMethod::Create]);
            session.save().await?;
            assert_eq!(
                site.store.take_calls(),
                [StoreMethod::Load],
                "nothing is left to store"
            );
            session.set("b", 2)
        })
        .await;
    assert_eq!(reply.cookie().value(), browser.value());
    assert_eq!(site.store.take_calls(), [StoreMethod::Replace]);
    assert_eq!(
        (browser.read("a").await, browser.read("b").await),
        (Some(1), Some(2))
    );
}

#[tokio::test]
async fn after_save_reads_see_what_is_committed() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let mut tab = browser.clone();
    browser
        .visit(async |session| {
            tab.write("a", 5).await;
            session.set("b", 2)?;
            assert_eq!(session.get("a")?, Some(1), "what this request has loaded");
            session.save().await?;
            assert_eq!((session.get("a")?, session.get("b")?), (Some(5), Some(2)));
            Ok::<_, Error>(())
        })
        .await
        .is_ok_without_cookie();
}

#[tokio::test]
async fn on_a_session_that_ended_meanwhile_explicit_io_answers_gone() {
    let site = Site::new();
    for ending in [
        wiz_session::WizSession::clear,
        wiz_session::WizSession::regenerate,
    ] {
        for ask in ["save", "transaction", "reading transaction", "reload"] {
            let mut browser = site.visitor().await;
            let mut tab = browser.clone();
            let reply = browser
                .visit(async |session| {
                    tab.visit(async |session| ending(&session)).await;
                    let answer = match ask {
                        "save" => {
                            session.set("b", 2)?;
                            session.save().await
                        }
                        "transaction" => session.transaction(|tx| tx.set("b", 2)).await,
                        "reload" => session.reload().await,
                        _ => session.transaction(|tx| tx.get::<u32>("a").map(drop)).await,
                    };
                    assert!(answer.unwrap_err().is_gone(), "{ask}");
                    assert!(session.is_empty() && session.is_new(), "{ask}");
                    session.set("c", 3)
                })
                .await;
            reply.is_ok_without_cookie();
            assert_eq!(tab.read::<u32>("b").await, None);
            assert_eq!(tab.read::<u32>("c").await, None);
        }
    }
}

#[tokio::test]
async fn reload_keeps_what_is_pending_on_top() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let mut tab = browser.clone();
    browser
        .visit(async |session| {
            session.update("a", |a: &mut u32| *a += 10)?;
            session.set("b", 2)?;
            tab.write("a", 5).await;
            tab.write("c", 3).await;
            session.reload().await?;
            let seen = (session.get("a")?, session.get("b")?, session.get("c")?);
            assert_eq!(seen, (Some(15), Some(2), Some(3)));
            Ok::<_, Error>(())
        })
        .await
        .is_ok_without_cookie();
    assert_eq!(
        (tab.read("a").await, tab.read("b").await),
        (Some(15), Some(2))
    );
}

#[tokio::test]
async fn reload_without_a_session_asks_nothing() {
    let site = Site::new();
    let reply = site
        .browser()
        .visit(async |session| session.reload().await)
        .await;
    reply.is_ok_without_cookie();
    assert_eq!(site.store.take_calls(), []);
}

#[tokio::test]
async fn reload_keeps_the_session_alive() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let mut tab = browser.clone();
    browser
        .visit(async |session| {
            for _ in 0..5 {
                site.pass(20);
                session.reload().await?;
            }
            Ok::<_, Error>(())
        })
        .await
        .is_ok_without_cookie();
    assert_eq!(tab.read("a").await, Some(1));
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
async fn saves_of_clones_at_once_store_each_change_once() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    browser
        .visit(async |session| {
            join_all((0..10).map(|_| {
                let session = session.clone();
                async move {
                    session.update("n", |n: &mut u32| *n += 1).unwrap();
                    session.save().await.unwrap();
                }
            }))
            .await;
            session.update("n", |n: &mut u32| *n += 1).map(drop)
        })
        .await
        .is_ok_without_cookie();
    assert_eq!(browser.read("n").await, Some(11));
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
async fn clear_after_save_ends_what_was_saved() {
    let site = Site::new();
    let clear_saved = async |session: wiz_session::WizSession| {
        session.set("b", 2)?;
        session.regenerate();
        session.save().await?;
        session.clear();
        Ok::<_, Error>(())
    };
    let reply = site.browser().visit(clear_saved).await;
    reply.is_ok_without_cookie();
    let mut browser = site.visitor().await;
    let reply = browser.visit(clear_saved).await;
    assert!(
        reply.cookie().value().is_empty(),
        "the client's old cookie has to go"
    );
    assert_eq!(site.sessions().await, 0);
}

#[tokio::test]
async fn a_session_saved_under_several_new_ids_sets_the_last() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let reply = browser
        .visit(async |session| {
            let mut handles = vec![session.handle()];
            for user in ["alice", "alice", "bob"] {
                session.log_in(user);
                session.save().await?;
                handles.push(session.handle());
            }
            handles.dedup();
            assert_eq!(handles.len(), 4);
            session.set("b", 2)
        })
        .await;
    assert_eq!(reply.cookie().value(), browser.value());
    assert_eq!(
        (browser.read::<u32>("a").await, browser.read("b").await),
        (None, Some(2))
    );
    assert_eq!(site.sessions().await, 1);
}

#[tokio::test]
async fn a_save_that_fails_loses_nothing_and_can_be_tried_again() {
    let site = Site::new();
    for verb in [StoreMethod::Create, StoreMethod::Replace] {
        let mut browser = site.visitor().await;
        browser
            .visit(async |session| {
                session.update("a", |a: &mut u32| *a += 1)?;
                if verb == StoreMethod::Create {
                    session.regenerate();
                }
                site.store.fault(verb, Fault::Fail);
                assert!(session.save().await.unwrap_err().is_store());
                assert_eq!(session.get("a")?, Some(2));
                site.store.heal();
                session.save().await
            })
            .await;
        assert_eq!(browser.read("a").await, Some(2), "{verb:?}");
    }
}

#[tokio::test]
async fn a_save_that_is_dropped_midway_leaves_the_change_to_the_next_commit() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    browser
        .visit(async |session| {
            session.update("a", |a: &mut u32| *a += 1)?;
            let gate = site.store.pause(StoreMethod::Replace);
            {
                let mut save = pin!(session.save());
                tokio::select! {
                    _ = &mut save => panic!("it did not wait"),
                    () = gate.reached() => {}
                }
            }
            site.store.heal();
            session.set("b", 2)
        })
        .await
        .is_ok_without_cookie();
    assert_eq!(
        (browser.read("a").await, browser.read("b").await),
        (Some(2), Some(2))
    );
}

#[tokio::test]
async fn a_new_id_that_was_saved_and_ended_elsewhere_sets_no_cookie() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let reply = browser
        .visit(async |session| {
            session.regenerate();
            session.save().await?;
            let handle = session.handle().expect("it is stored");
            site.layer.sessions().revoke(handle).await?;
            session.set("b", 2)
        })
        .await;
    reply.is_ok_without_cookie();
}

/// DESIGN §3.3.
#[tokio::test]
async fn a_commit_that_was_too_slow_is_replayed_on_the_newer_record() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    browser.write("gone", 1).await;
    let mut tab = browser.clone();
    site.store.take_calls();
    browser
        .visit(async |session| {
            tab.visit(async |session| {
                session.extend(serde_json::json!({ "a": 5, "c": 3, "gone": 2 }))
            })
            .await;
            site.store.take_calls();
            session.update("a", |a: &mut u32| *a += 10)?;
            session.set("b", 2)?;
            session.delete("gone");
            Ok::<_, Error>(())
        })
        .await
        .is_ok_without_cookie();
    assert_eq!(
        site.store.take_calls(),
        [
            StoreMethod::Replace,
            StoreMethod::Load,
            StoreMethod::Replace
        ]
    );
    let mut seen = serde_json::Map::new();
    tab.visit(async |session| seen = session.to_map()).await;
    let expected = serde_json::json!({ "a": 15, "b": 2, "c": 3 });
    assert_eq!(serde_json::Value::from(seen), expected);
}

#[tokio::test]
async fn a_replay_that_no_longer_fits_is_refused_whole() {
    let site = Site::with(|builder| builder.max_bytes(100));
    let table = [
        ("text".to_owned(), StatusCode::INTERNAL_SERVER_ERROR),
        ("x".repeat(90), StatusCode::PAYLOAD_TOO_LARGE),
    ];
    for (newer, status) in table {
        let mut browser = site.visitor().await;
        let mut tab = browser.clone();
        let reply = browser
            .visit(async |session| {
                tab.write("a", &newer).await;
                if status == StatusCode::PAYLOAD_TOO_LARGE {
                    session.set("b", "fits by itself")
                } else {
                    session.set("b", 2)?;
                    session.update("a", |a: &mut u32| *a += 1).map(drop)
                }
            })
            .await;
        assert_eq!((reply.status, reply.cookies()), (status, vec![]));
        assert_eq!(tab.read("a").await, Some(newer));
        assert_eq!(tab.read::<String>("b").await, None);
    }
}
