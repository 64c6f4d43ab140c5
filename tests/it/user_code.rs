//! Code of the application that runs inside of the crate's, and uses the very session: it may, and nothing hangs.

use axum::extract::Request;
use http::StatusCode;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tower::Layer;
use wiz_session::{Error, WizSession};

use crate::support::{Intruder, Log, handle, never_hangs};

/// A number whose code uses the session.
#[derive(Default)]
struct Nosy(u32);

impl Serialize for Nosy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Intruder::writes();
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Nosy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Intruder::writes();
        u32::deserialize(deserializer).map(Self)
    }
}

/// Uses the session when it is dropped.
struct Parting;

impl Drop for Parting {
    fn drop(&mut self) {
        Intruder::writes();
    }
}

#[test]
fn a_type_may_use_the_session_while_it_is_written_and_read() {
    never_hangs(async |mut browser| {
        browser
            .visit(async |session| {
                Intruder::knows(&session);
                session.set("n", Nosy(1))?;
                session.extend(serde_json::Map::new())?;
                assert_eq!(session.get::<Nosy>("n")?.map(|n| n.0), Some(1));
                assert_eq!(session.update("n", |n: &mut Nosy| n.0 += 1)?.0, 2);
                let taken = session.transaction(|tx| {
                    tx.set("m", Nosy(5))?;
                    tx.update("m", |m: &mut Nosy| m.0 += 1)?;
                    tx.take::<Nosy>("m")
                });
                assert_eq!(taken.await?.map(|m| m.0), Some(6));
                session.save().await?;
                session.update("n", |n: &mut Nosy| n.0 += 1)?;
                assert_eq!(session.take::<Nosy>("n")?.map(|n| n.0), Some(3));
                session.update("n", |n: &mut Nosy| n.0 += 1).map(drop)
            })
            .await
            .is_ok_without_cookie();
        Intruder::leave();
        assert!(Intruder::uses() > 10);
        assert_eq!(browser.read("n").await, Some(1));
        assert!(browser.read::<u32>("intruder").await.is_some());
    });
}

/// By whom a pending update meets a newer record.
#[derive(Debug, Clone, Copy)]
enum Replay {
    Save,
    Reload,
    Transaction,
    AfterTheHandler,
}

impl Replay {
    const ALL: [Self; 4] = [
        Self::Save,
        Self::Reload,
        Self::Transaction,
        Self::AfterTheHandler,
    ];

    async fn run(self, session: &WizSession) -> Result<(), Error> {
        match self {
            Self::Save => session.save().await,
            Self::Reload => session.reload().await,
            Self::Transaction => session.transaction(|tx| tx.set("t", 1)).await,
            Self::AfterTheHandler => Ok(()),
        }
    }
}

#[test]
fn a_closure_may_look_at_the_session_whenever_it_runs_again() {
    never_hangs(async |mut browser| {
        for replay in Replay::ALL {
            let mut tab = browser.clone();
            tab.write("n", 0).await;
            browser
                .visit(async |session| {
                    Intruder::knows(&session);
                    let look_and_add = |n: &mut u32| {
                        Intruder::looks();
                        *n += 1;
                    };
                    session.update("n", look_and_add)?;
                    Intruder::uses();
                    tab.write("n", 10).await;
                    replay.run(&session).await
                })
                .await
                .is_ok_without_cookie();
            Intruder::leave();
            assert!(Intruder::uses() > 0, "{replay:?}");
            assert_eq!(tab.read("n").await, Some(11), "{replay:?}");
        }
    });
}

#[test]
fn a_closure_that_writes_whenever_it_runs_again_is_a_conflict_or_comes_to_rest() {
    never_hangs(async |mut browser| {
        for replay in Replay::ALL {
            let mut tab = browser.clone();
            tab.write("n", 0).await;
            let mut replayed = Ok(());
            let reply = browser
                .visit(async |session| {
                    Intruder::knows(&session);
                    let write_and_add = |n: &mut Nosy| {
                        Intruder::writes();
                        n.0 += 1;
                    };
                    session.update("n", write_and_add)?;
                    tab.write("n", 10).await;
                    replayed = replay.run(&session).await;
                    Ok::<_, Error>(())
                })
                .await;
            Intruder::leave();
            assert_eq!(reply.status, StatusCode::OK, "{replay:?}");
            match replayed {
                Ok(()) => {}
                Err(error) => assert!(error.is_conflict(), "{replay:?}: {error}"),
            }
            assert_eq!(tab.read("n").await, Some(11), "{replay:?}");
        }
    });
}

/// A reload replays on the session itself: the closure's own writes make it begin anew each time.
#[test]
fn a_reload_that_is_never_done_is_a_conflict() {
    never_hangs(async |mut browser| {
        let mut tab = browser.clone();
        browser
            .visit(async |session| {
                let same = session.clone();
                let count = move |n: &mut u32| {
                    same.update("runs", |runs: &mut u32| *runs += 1).unwrap();
                    *n += 1;
                };
                session.update("n", count)?;
                tab.write("n", 10).await;
                assert!(session.reload().await.unwrap_err().is_conflict());
                // It would keep its session alive, as it owns it.
                session.set("n", 5)
            })
            .await
            .is_ok_without_cookie();
        assert_eq!(tab.read("n").await, Some(5));
    });
}

#[test]
fn what_a_closure_captured_may_use_the_session_as_it_is_dropped() {
    type Drops = fn(&WizSession);
    let ways: [(&str, Drops); 9] = [
        ("set", |session| session.set("n", 7).unwrap()),
        ("deleted", |session| {
            session.delete("n");
        }),
        ("taken", |session| {
            session.take::<u32>("n").unwrap();
        }),
        ("extended", |session| {
            session.extend(serde_json::json!({ "n": 7 })).unwrap();
        }),
        ("cleared", WizSession::clear),
        ("another user", |session| {
            session.log_in("alice");
            session.log_in("bob");
        }),
        ("too large", |session| {
            let parting = Parting;
            let grow = move |text: &mut String| {
                let _parting = &parting;
                *text = "x".repeat(100_000);
            };
            assert!(session.update("text", grow).unwrap_err().is_too_large());
        }),
        ("no change", |session| {
            let parting = Parting;
            let nothing = move |_: &mut u32| {
                let _parting = &parting;
            };
            session.update("a", nothing).unwrap();
        }),
        ("undone", |session| {
            session.update("n", |n: &mut u32| *n -= 1).unwrap();
        }),
    ];
    for (way, drops) in ways {
        never_hangs(async move |mut browser| {
            let mut is_stored = false;
            for fails in [false, true] {
                let reply = browser
                    .visit(async |session| {
                        Intruder::knows(&session);
                        let parting = Parting;
                        let add = move |n: &mut u32| {
                            let _parting = &parting;
                            *n += 1;
                        };
                        session.update("n", add).unwrap();
                        drops(&session);
                        match fails {
                            true => StatusCode::BAD_GATEWAY,
                            false => StatusCode::OK,
                        }
                    })
                    .await;
                Intruder::leave();
                assert!(Intruder::uses() > 0, "{way}");
                is_stored |= reply.status.is_success();
            }
            assert!(is_stored, "{way}");
        });
    }
}

#[test]
fn what_a_closure_captured_may_use_the_session_when_it_was_stored_or_given_up() {
    never_hangs(async |mut browser| {
        for replay in Replay::ALL {
            for ends in [false, true] {
                let mut tab = browser.clone();
                tab.visit(async |session| session.set("n", 0)).await;
                browser = tab.clone();
                let reply = browser
                    .visit(async |session| {
                        Intruder::knows(&session);
                        let parting = Parting;
                        let add = move |n: &mut u32| {
                            let _parting = &parting;
                            *n += 1;
                        };
                        session.update("n", add).unwrap();
                        if ends {
                            tab.visit(async |session| session.clear()).await;
                        }
                        // That it ended is told; here only that it returns counts.
                        let _gone = replay.run(&session).await;
                    })
                    .await;
                Intruder::leave();
                assert_eq!(reply.status, StatusCode::OK, "{replay:?}");
                assert!(Intruder::uses() > 0, "{replay:?}, ended: {ends}");
                if ends {
                    browser = tab;
                }
            }
        }
    });
}

#[test]
fn a_subscriber_may_use_the_session_at_every_event() {
    never_hangs(async move |mut browser| {
        let log = Log::capture();
        log.at_each_line(Intruder::writes);
        for does in Intruder::DEEDS {
            for saves in [false, true] {
                for fails in [false, true] {
                    // Whatever session it had, this begins one.
                    browser.keep("__Host-sid", "forged");
                    browser.write("a", 1).await;
                    browser
                        .visit(async |session| {
                            Intruder::knows(&session);
                            does(&session);
                            if saves {
                                session.save().await.unwrap();
                            }
                            match fails {
                                true => StatusCode::BAD_GATEWAY,
                                false => StatusCode::OK,
                            }
                        })
                        .await;
                    Intruder::leave();
                    // The same, where another tab is faster.
                    let mut tab = browser.clone();
                    browser
                        .visit(async |session| {
                            Intruder::knows(&session);
                            tab.visit(async |session| does(&session)).await;
                            does(&session);
                            if saves {
                                let _gone = session.save().await;
                            }
                        })
                        .await;
                    Intruder::leave();
                }
            }
        }
        assert!(Intruder::uses() > 0);
        for event in [
            "session created",
            "session regenerated",
            "session ended",
            "write discarded",
            "bad MAC",
        ] {
            assert!(log.count(event) > 0, "{event}");
        }
    });
}

#[test]
fn a_subscriber_may_use_the_session_at_the_warning_of_a_cookie_that_will_not_stick() {
    never_hangs(async move |mut browser| {
        let log = Log::capture();
        log.at_each_line(Intruder::writes);
        for saves in [false, true] {
            let request = Request::post("/").header("origin", "http://192.168.0.7");
            let request = request.body(axum::body::Body::empty()).unwrap();
            let service = browser.layer().layer(handle(async |session: WizSession| {
                Intruder::knows(&session);
                session.log_in("alice");
                match saves {
                    true => session.save().await,
                    false => Ok(()),
                }
            }));
            browser.send(service, request).await.is_ok();
            Intruder::leave();
        }
        assert!(log.count("sent to a page of plain HTTP") > 0);
    });
}
