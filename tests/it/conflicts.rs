//! What a commit replays when another request was faster.

use http::StatusCode;
use wiz_session::Error;

use crate::support::{Site, StoreMethod};

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
