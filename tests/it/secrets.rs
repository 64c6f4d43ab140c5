//! What may never be printed, and what an auditor has to see.

use axum::body::Body;
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use futures_util::{FutureExt, stream};
use http::StatusCode;
use tower::Layer;
use wiz_session::{Error, FlashLevel, Key, SessionStore, WizSession, WizSessionLayer};

use crate::support::{Browser, Fault, Log, Site, StoreMethod, ignore};

/// In no text that the crate produces otherwise.
const VALUE: &str = "hunter2-is-the-value";
const NAME: &str = "swordfish-is-the-key";
const SIGNING_KEY: [u8; 64] = [0xC5; 64];

/// Everything that a log must not show.
#[derive(Default)]
struct Secrets(Vec<String>);

impl Secrets {
    fn of_the_site() -> Self {
        let hex = "c5".repeat(8);
        let list = "197, ".repeat(4);
        let texts = [
            VALUE,
            NAME,
            &BASE64.encode(&SIGNING_KEY[..30]),
            &hex,
            &hex.to_uppercase(),
            &list,
        ];
        Self(texts.map(str::to_owned).to_vec())
    }

    /// The cookie's value, its MAC and its id, in every form in which one might print an id.
    fn add_cookie(&mut self, browser: &Browser) {
        let value = browser.value();
        let (mac, id) = value.split_at(43);
        let uuid = uuid::Uuid::parse_str(id).expect("an id");
        let bytes = format!("{:?}", uuid.as_bytes());
        let texts = [
            mac.to_owned(),
            id.to_owned(),
            id.to_uppercase(),
            uuid.hyphenated().to_string(),
        ];
        self.0.extend(texts);
        self.0.push(BASE64.encode(uuid.as_bytes()));
        self.0.push(bytes.trim_matches(['[', ']']).to_owned());
    }

    #[track_caller]
    fn are_not_in(&self, text: &str) {
        for secret in &self.0 {
            assert!(!text.contains(secret), "`{secret}` in: {text}");
        }
    }
}

fn site() -> Site {
    Site::new().relaunched(Key::from(&SIGNING_KEY), |builder| {
        builder
            .max_bytes(1000)
            .previous_keys([Key::from(&SIGNING_KEY)])
    })
}

async fn write(session: WizSession) -> Result<(), Error> {
    session.set(NAME, VALUE)
}

#[tokio::test]
async fn at_trace_level_every_event_shows_and_no_secret_does() {
    let log = Log::capture();
    let site = site();
    let mut secrets = Secrets::of_the_site();
    let events = [
        "session created",
        "session regenerated",
        "session ended",
        "sessions revoked",
        "cookie of an unknown session",
        "session cookie with a bad MAC",
        "write discarded",
        "dropped without save()",
        "session not touched",
        "session not loaded",
        "session not committed",
    ];

    let mut browser = site.browser();
    browser.visit(write).await;
    secrets.add_cookie(&browser);
    browser.read::<String>(NAME).await;
    let regenerate = async |session: WizSession| {
        session.regenerate();
        session.flash(FlashLevel::Info, VALUE)
    };
    browser.visit(regenerate).await;
    secrets.add_cookie(&browser);
    browser.visit(async |session| session.log_in("alice")).await;
    secrets.add_cookie(&browser);

    let old = browser.clone();
    let mut tab = browser.clone();
    browser
        .visit(async |session| {
            tab.visit(async |session| session.log_in("alice")).await;
            session.set(NAME, 1)?;
            session.delete(NAME);
            session.set("b", VALUE)
        })
        .await;
    secrets.add_cookie(&tab);
    tab.visit(async |session| session.clear()).await;
    let mut ended = old.clone();
    site.pass(1);
    ended.read::<u32>(NAME).await;
    ended.keep("__Host-sid", &format!("{VALUE}{}", old.value()));
    ended.read::<u32>(NAME).await;
    ended.keep("__Host-sid", &old.value().replace('a', "b"));
    ended.visit(write).await;

    let mut browser = site.browser();
    browser.visit(write).await;
    secrets.add_cookie(&browser);
    for (verb, fault) in [
        (StoreMethod::Load, Fault::Fail),
        (StoreMethod::Load, Fault::Corrupt),
        (StoreMethod::Touch, Fault::Fail),
        (StoreMethod::Replace, Fault::Fail),
    ] {
        site.pass(3);
        site.store.fault(verb, fault);
        browser
            .visit(async |session| {
                if verb == StoreMethod::Touch {
                    Ok(())
                } else {
                    session.set(NAME, [VALUE, VALUE])
                }
            })
            .await;
        site.store.heal();
    }
    let misuse = async |session: WizSession| {
        assert!(
            session
                .set(NAME, VALUE.repeat(100))
                .unwrap_err()
                .is_too_large()
        );
        assert!(
            session
                .update(NAME, |_: &mut u32| ())
                .unwrap_err()
                .is_decode()
        );
        session.get::<u32>(NAME).map(drop)
    };
    let reply = browser.visit(misuse).await;
    assert_eq!(reply.status, StatusCode::INTERNAL_SERVER_ERROR);
    secrets.are_not_in(&reply.body);
    let mut tab = browser.clone();
    let replay = browser.visit(async |session| {
        session.update(NAME, |text: &mut String| text.push('!'))?;
        tab.write(NAME, 5).await;
        Ok::<_, Error>(())
    });
    assert_eq!(replay.await.status, StatusCode::INTERNAL_SERVER_ERROR);
    let unsaved = async |session: WizSession| {
        let late = async move {
            session.set(NAME, VALUE).unwrap();
            Ok::<_, Error>("")
        };
        Body::from_stream(stream::once(late.boxed()))
    };
    browser.visit(unsaved).await;
    site.layer.sessions().revoke_user("alice").await.unwrap();
    site.layer
        .sessions()
        .revoke(browser.handle().await.unwrap())
        .await
        .unwrap();

    for event in events {
        assert!(log.count(event) > 0, "{event} in: {}", log.text());
    }
    secrets.are_not_in(&log.text());
}

/// Each event comes once for each thing that happened, with handles to follow a session by.
#[tokio::test]
async fn events_name_sessions_by_their_handles() {
    let log = Log::capture();
    let site = site();
    let mut browser = site.browser();
    browser.visit(write).await;
    let first = browser.handle().await.unwrap();
    browser.visit(async |session| session.regenerate()).await;
    let second = browser.handle().await.unwrap();
    browser.visit(async |session| session.clear()).await;

    assert_eq!(log.count(&format!("session created handle={first}")), 1);
    assert_eq!(
        log.count(&format!("session regenerated from={first} to={second}")),
        1
    );
    assert_eq!(log.count(&format!("session ended handle={second}")), 1);
    assert_eq!(log.text().lines().count(), 3, "{}", log.text());
}

#[tokio::test]
async fn public_types_print_no_secret() {
    let site = site();
    let mut browser = site.browser();
    browser.visit(write).await;
    let mut secrets = Secrets::of_the_site();
    secrets.add_cookie(&browser);
    let handle = browser.handle().await.unwrap();
    let record = site.record(handle).await.unwrap();
    let sessions = site.layer.sessions();

    let mut printed = vec![
        format!(
            "{:?}",
            WizSessionLayer::builder(site.store.clone(), Key::from(&SIGNING_KEY))
        ),
        format!("{:?}", site.layer),
        format!("{:?}", site.layer.layer(())),
        format!(
            "{:?}",
            tower::Service::call(&mut site.layer.layer(ignore(())), Default::default())
        ),
        format!("{record:?} {sessions:?} {handle:?} {handle}"),
    ];
    browser
        .visit(async |session| {
            session.set("other", VALUE).unwrap();
            session.log_in("alice");
            session.save().await.unwrap();
            printed.push(format!("{session:?} {session:#?}"));
            let tx = session
                .transaction(|tx| Ok::<_, Error>(format!("{tx:?}")))
                .await;
            printed.push(tx.unwrap());
        })
        .await;
    secrets.add_cookie(&browser);
    printed.push(format!("{:?}", sessions.list("alice").await.unwrap()));
    let map_store = format!("{:?}", site.store.list("alice").await.unwrap());
    printed.push(map_store);
    for text in printed {
        secrets.are_not_in(&text);
    }
}

/// Messages name keys, never values or ids.
#[tokio::test]
async fn errors_print_no_secret() {
    let site = site();
    let mut browser = site.browser();
    browser.visit(write).await;
    let mut secrets = Secrets::of_the_site();
    secrets.0.retain(|secret| secret != NAME);
    secrets.add_cookie(&browser);
    browser
        .visit(async |session| {
            let mut errors = vec![
                session.get::<u32>(NAME).unwrap_err(),
                session.get::<[bool; 3]>(NAME).unwrap_err(),
                session.get::<FlashLevel>(NAME).unwrap_err(),
                session.set("b", VALUE.repeat(100)).unwrap_err(),
                session.extend(VALUE).unwrap_err(),
            ];
            site.store.fault(StoreMethod::Replace, Fault::Fail);
            session.set("b", VALUE).unwrap();
            errors.push(session.save().await.unwrap_err());
            site.layer
                .sessions()
                .revoke(session.handle().unwrap())
                .await
                .unwrap();
            errors.push(session.reload().await.unwrap_err());
            for error in errors {
                secrets.are_not_in(&format!("{error} {error:?} {error:#?}"));
                let source = std::error::Error::source(&error).map(ToString::to_string);
                secrets.are_not_in(&source.unwrap_or_default());
            }
        })
        .await;
}
