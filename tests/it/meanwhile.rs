//! What is done with a session while a call of another of its handles waits for the store.

use std::{collections::BTreeMap, pin::Pin, time::Duration};

use fastrand::Rng;
use http::StatusCode;
use tokio::task::JoinHandle;
use wiz_session::{Error, WizSession};

use crate::support::{Fault, Gate, Site, StoreMethod, key};

/// While a call waits for the store at this verb, does something else with the session.
async fn during<T>(
    site: &Site,
    verb: StoreMethod,
    call: impl Future<Output = Result<T, Error>>,
    work: impl FnOnce(),
) -> Result<T, Error> {
    let gate = site.store.pause(verb);
    let meanwhile = async {
        gate.reached().await;
        work();
        gate.open();
    };
    tokio::join!(call, meanwhile).0
}

#[tokio::test]
async fn another_user_who_logs_in_during_a_save_starts_empty() {
    let site = Site::new();
    let mut browser = site.browser();
    browser
        .visit(async |session| {
            session.log_in("alice");
            session.set("secret", "of alice")
        })
        .await;
    browser
        .visit(async |session| {
            session.set("b", 2)?;
            during(&site, StoreMethod::Replace, session.save(), || {
                session.log_in("bob");
            })
            .await
        })
        .await;
    browser
        .visit(async |session| {
            assert_eq!(session.user().as_deref(), Some("bob"));
            assert!(session.is_empty(), "{:?}", session.keys());
        })
        .await;
}

#[tokio::test]
async fn a_clear_during_a_save_ends_what_it_creates() {
    let site = Site::new();
    site.browser()
        .visit(async |session| {
            session.set("a", 1)?;
            during(&site, StoreMethod::Create, session.save(), || {
                session.clear();
            })
            .await
        })
        .await
        .is_ok_without_cookie();
    assert_eq!(site.sessions().await, 0);
}

#[tokio::test]
async fn a_clear_during_a_save_after_clear_ends_what_it_creates() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let reply = browser
        .visit(async |session| {
            session.clear();
            session.set("a", 2)?;
            during(&site, StoreMethod::Create, session.save(), || {
                session.clear();
            })
            .await
        })
        .await;
    assert!(reply.cookie().value().is_empty());
    assert_eq!(site.sessions().await, 0);
}

#[tokio::test]
async fn a_save_whose_later_changes_do_not_fit_keeps_its_new_id() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let mut tab = browser.clone();
    browser
        .visit(async |session| {
            tab.write("b", "text").await;
            session.regenerate();
            let later = || {
                session.update("b", |b: &mut u32| *b += 1).unwrap();
            };
            let _decode = during(&site, StoreMethod::Create, session.save(), later).await;
        })
        .await;
    assert_eq!(browser.read("a").await, Some(1));
}

#[tokio::test]
async fn what_is_written_during_a_save_is_kept_for_the_next() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    browser
        .visit(async |session| {
            session.update("a", |a: &mut u32| *a += 1)?;
            during(&site, StoreMethod::Replace, session.save(), || {
                session.update("a", |a: &mut u32| *a += 1).unwrap();
                session.set("b", 2).unwrap();
            })
            .await?;
            assert_eq!((session.get("a")?, session.get("b")?), (Some(3), Some(2)));
            Ok::<_, Error>(())
        })
        .await
        .is_ok_without_cookie();
    assert_eq!(
        (browser.read("a").await, browser.read("b").await),
        (Some(3), Some(2))
    );
}

#[tokio::test]
async fn a_login_during_a_save_is_done_after_it() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let reply = browser
        .visit(async |session| {
            session.regenerate();
            during(&site, StoreMethod::Create, session.save(), || {
                session.log_in("alice");
            })
            .await
        })
        .await;
    assert_eq!(reply.cookie().value(), browser.value());
    browser
        .visit(async |session| {
            assert_eq!(session.user().as_deref(), Some("alice"));
            assert_eq!(session.get("a").unwrap(), Some(1));
        })
        .await;
    assert_eq!(site.sessions().await, 1);
}

#[tokio::test]
async fn a_change_that_undoes_what_is_being_saved_is_kept() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    browser
        .visit(async |session| {
            session.set("b", 1)?;
            session.update("a", |a: &mut i32| *a += 1)?;
            during(&site, StoreMethod::Replace, session.save(), || {
                assert!(session.delete("b"));
                session.update("a", |a: &mut i32| *a -= 1).unwrap();
            })
            .await?;
            assert_eq!(
                session.to_map(),
                serde_json::from_str(r#"{"a":1}"#).unwrap()
            );
            Ok::<_, Error>(())
        })
        .await
        .is_ok_without_cookie();
    assert_eq!(browser.read::<i32>("a").await, Some(1));
    assert_eq!(browser.read::<i32>("b").await, None);
}

#[tokio::test]
async fn a_change_undone_after_a_save_that_was_given_up_stores_nothing() {
    let site = Site::new();
    site.browser()
        .visit(async |session| {
            session.set("b", 1).unwrap();
            let gate = site.store.pause(StoreMethod::Create);
            tokio::select! { _ = session.save() => panic!("it did not wait"), () = gate.reached() => {} }
            site.store.heal();
            session.delete("b");
        })
        .await
        .is_ok_without_cookie();
    assert_eq!(site.sessions().await, 0);
}

#[tokio::test]
async fn an_update_of_what_was_set_anew_during_a_save_is_kept() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    browser
        .visit(async |session| {
            session.update("a", |a: &mut i32| *a += 1)?;
            during(&site, StoreMethod::Replace, session.save(), || {
                session.set("a", 1).unwrap();
                session.update("a", |a: &mut i32| *a += 10).unwrap();
            })
            .await
        })
        .await
        .is_ok_without_cookie();
    assert_eq!(browser.read("a").await, Some(11));
}

#[tokio::test]
async fn a_clear_during_a_reload_begins_anew() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    browser
        .visit(async |session| {
            during(&site, StoreMethod::Load, session.reload(), || {
                session.clear();
                session.set("b", 2).unwrap();
            })
            .await?;
            assert_eq!(session.keys(), ["b"]);
            assert_eq!(session.len(), 1);
            Ok::<_, Error>(())
        })
        .await;
    assert_eq!(browser.read("b").await, Some(2));
    assert_eq!(site.sessions().await, 1);
}

#[tokio::test]
async fn a_remember_during_the_save_of_a_login_leaves_what_was_saved() {
    let site = Site::new();
    let mut browser = site.browser();
    browser.visit(async |session| session.log_in("alice")).await;
    browser
        .visit(async |session| {
            session.log_in("bob");
            session.update("cart", |cart: &mut Vec<u32>| cart.push(7))?;
            during(&site, StoreMethod::Create, session.save(), || {
                session.remember(Duration::from_secs(30 * 24 * 60 * 60));
            })
            .await?;
            assert_eq!(session.get("cart")?, Some(vec![7]));
            Ok::<_, Error>(())
        })
        .await;
    browser
        .visit(async |session| {
            assert_eq!(session.user().as_deref(), Some("bob"));
            assert_eq!(session.get("cart").unwrap(), Some(vec![7]));
        })
        .await;
}

/// It would wait for a lock for ever.
#[tokio::test]
async fn a_closure_may_use_its_session_when_it_runs_again() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let mut tab = browser.clone();
    let add_one = |session: &WizSession| {
        let same = session.clone();
        let add = move |b: &mut u32| *b += u32::from(same.contains_key("a"));
        session.update("b", add).unwrap();
    };
    browser
        .visit(async |session| {
            add_one(&session);
            tab.write("a", 2).await;
            session.reload().await?;
            assert_eq!(session.get("b")?, Some(1));
            during(&site, StoreMethod::Replace, session.save(), || {
                add_one(&session);
            })
            .await?;
            assert_eq!(session.get("b")?, Some(2));
            Ok::<_, Error>(())
        })
        .await
        .is_ok_without_cookie();
    assert_eq!(browser.read("b").await, Some(2));
}

/// Spawns a call that waits for the store until the handler has answered. The response has to wait for it.
async fn beside(
    site: &Site,
    verb: StoreMethod,
    call: impl Future<Output = Result<(), Error>> + Send + 'static,
) -> JoinHandle<()> {
    let gate = site.store.pause(verb);
    let called = tokio::spawn(call);
    gate.reached().await;
    tokio::spawn(async move {
        // Until the layer has nothing else to do but to wait.
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        gate.open();
        called.await.unwrap().unwrap();
    })
}

#[tokio::test]
async fn a_session_that_is_begun_beside_the_handler_gets_its_cookie() {
    let site = Site::new();
    let mut browser = site.browser();
    let mut begun = None;
    browser
        .visit(async |session| {
            let begin = async move { session.transaction(|tx| tx.set("a", 1)).await };
            begun = Some(beside(&site, StoreMethod::Create, begin).await);
        })
        .await;
    begun.expect("it was called").await.unwrap();
    assert_eq!(browser.read("a").await, Some(1));
}

#[tokio::test]
async fn a_new_id_that_is_saved_beside_a_handler_that_fails_gets_its_cookie() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let mut saved = None;
    browser
        .visit(async |session| {
            let save = async move {
                session.regenerate();
                session.save().await
            };
            saved = Some(beside(&site, StoreMethod::Create, save).await);
            StatusCode::INTERNAL_SERVER_ERROR
        })
        .await;
    saved.expect("it was called").await.unwrap();
    assert_eq!(browser.read("a").await, Some(1));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_nobody_polls_does_not_fail_a_request_with_nothing_to_store() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let mut kept = None;
    let reply = browser
        .visit(async |session| {
            let gate = site.store.pause(StoreMethod::Load);
            let mut reload = Box::pin(async move { session.reload().await });
            tokio::select! { _ = &mut reload => panic!("it did not wait"), () = gate.reached() => {} }
            kept = Some(reload);
        })
        .await;
    reply.is_ok_without_cookie();
}

#[tokio::test]
async fn a_cookie_of_a_previous_key_is_signed_anew_by_the_next_request_if_the_store_fails() {
    let old = Site::new();
    let browser = old.visitor().await;
    let site = old.relaunched(key(2), |builder| builder.previous_keys([key(1)]));
    let mut browser = browser.at(&site);
    browser
        .visit(async |session| {
            site.store.fault(StoreMethod::Load, Fault::Fail);
            session.get::<u32>("a").map(drop)
        })
        .await
        .is_ok_without_cookie();
    site.store.heal();
    let before = browser.value().to_owned();
    assert_eq!(browser.read("a").await, Some(1));
    assert_ne!(browser.value(), before);
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
async fn a_delete_of_what_is_not_there_during_a_save_deletes_nothing_of_another_request() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let mut tab = browser.clone();
    browser
        .visit(async |session| {
            session.set("a", 2)?;
            tab.write("b", 1).await;
            during(&site, StoreMethod::Replace, session.save(), || {
                assert!(!session.delete("b"));
            })
            .await
        })
        .await
        .is_ok_without_cookie();
    assert_eq!(browser.read("b").await, Some(1));
}

#[tokio::test]
async fn what_undoes_the_commit_after_the_handler_is_kept_for_a_save() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let gate = site.store.pause(StoreMethod::Replace);
    let mut job = None;
    browser
        .visit(async |session| {
            session.set("a", 2).unwrap();
            job = Some(tokio::spawn(async move {
                gate.reached().await;
                session.set("a", 1).unwrap();
                gate.open();
                session.save().await.unwrap();
            }));
        })
        .await;
    job.expect("it was spawned").await.unwrap();
    assert_eq!(browser.read("a").await, Some(1));
}

#[tokio::test]
async fn a_login_during_a_save_that_finds_the_session_ended_keeps_what_is_set_with_it() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let mut tab = browser.clone();
    browser
        .visit(async |session| {
            session.set("a", 2).unwrap();
            tab.visit(async |session| session.clear()).await;
            let saved = during(&site, StoreMethod::Replace, session.save(), || {
                session.log_in("bob");
                session.set("needs_code", true).unwrap();
            });
            assert!(saved.await.unwrap_err().is_gone());
        })
        .await;
    browser
        .visit(async |session| {
            assert_eq!(session.user().as_deref(), Some("bob"));
            assert_eq!(session.keys(), ["needs_code"]);
        })
        .await;
}

#[tokio::test]
async fn the_last_wish_to_be_remembered_holds() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    browser
        .visit(async |session| {
            session.remember(Duration::from_secs(30 * 24 * 60 * 60));
            during(&site, StoreMethod::Replace, session.save(), || {
                session.remember(Duration::ZERO);
            })
            .await
        })
        .await;
    site.pass(40);
    assert_eq!(browser.read::<u32>("a").await, None, "its time is over");
}

/// The save is under way for longer than the response waits for it.
#[tokio::test(start_paused = true)]
async fn a_save_that_the_response_could_not_wait_for_gives_no_new_id() {
    let site = Site::new();
    let mut browser = site.visitor().await;
    let mut tab = browser.clone();
    let mut saved = None;
    browser
        .visit(async |session| {
            session.regenerate();
            tab.write("b", 1).await;
            let (create, load) = (site.store.pause(StoreMethod::Create), Gate::default());
            let refresh = Gate::default();
            site.store
                .fault(StoreMethod::Load, Fault::Pause(load.clone()));
            saved = Some(tokio::spawn(async move { session.save().await }));
            create.reached().await;
            let store = site.store.clone();
            tokio::spawn(async move {
                // It meets the tab's write, and loads the newer record. No call takes as long as it may.
                tokio::time::sleep(Duration::from_secs(3)).await;
                create.open();
                load.reached().await;
                store.fault(StoreMethod::Load, Fault::Pause(refresh.clone()));
                tokio::time::sleep(Duration::from_secs(1)).await;
                load.open();
                tokio::time::sleep(Duration::from_secs(3)).await;
                refresh.open();
            });
        })
        .await;
    let saved = saved.expect("it was spawned").await.unwrap();
    let error = saved.unwrap_err();
    assert!(error.is_headers_sent() && error.is_gone(), "{error}");
    site.store.heal();
    assert_eq!(browser.read("a").await, Some(1));
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

/// What one handle does while a call of another waits, and the call, come to what they come to one after the other.
#[tokio::test]
async fn random_changes_during_random_calls_are_done_in_their_order() {
    let only = std::env::var("WIZ_MEANWHILE_SEED").ok();
    let seeds = match only {
        Some(seed) => vec![seed.parse().expect("a number")],
        None => (0..2_000).map(|_| fastrand::u64(..)).collect(),
    };
    for seed in seeds {
        Script::run(seed).await;
    }
}

/// A request that does things at random, and what its session has to hold then.
struct Script {
    random: Rng,
    done: Vec<String>,
    user: Option<&'static str>,
    values: BTreeMap<&'static str, i64>,
}

impl Script {
    async fn run(seed: u64) {
        let site = Site::new();
        let mut browser = site.browser();
        let mut script = Self {
            random: Rng::with_seed(seed),
            done: Vec::new(),
            user: None,
            values: BTreeMap::new(),
        };
        for _request in 0..3 {
            let reply = browser
                .visit(async |session| script.request(&site, &session).await)
                .await;
            assert_eq!(
                reply.status,
                StatusCode::OK,
                "seed {seed}: {:#?}",
                script.done
            );
            browser
                .visit(async |session| script.check(seed, &session))
                .await;
        }
    }

    async fn request(&mut self, site: &Site, session: &WizSession) -> Result<(), Error> {
        let mut in_doubt = false;
        for _call in 0..self.random.u8(..4) {
            self.change(session);
            let gate = Gate::default();
            for verb in [
                StoreMethod::Load,
                StoreMethod::Create,
                StoreMethod::Replace,
                StoreMethod::Delete,
            ] {
                site.store.fault(verb, Fault::Pause(gate.clone()));
            }
            let gives_up = self.random.u8(..4) == 0;
            let mut call = self.call(session.clone(), gives_up);
            let answered = tokio::select! {
                biased;
                answer = &mut call => Some(answer),
                () = std::future::ready(()) => None,
            };
            // A call first finds out what became of one that was given up: what is changed meanwhile may come before it.
            let most = if in_doubt { 1 } else { 4 };
            for _change in 0..self.random.u8(..most) {
                self.change(session);
            }
            in_doubt = gives_up;
            if !gives_up {
                gate.open();
            }
            site.store.heal();
            match answered {
                Some(answer) => answer?,
                None if gives_up => drop(call),
                None => call.await?,
            }
        }
        self.change(session);
        Ok(())
    }

    fn call(
        &mut self,
        session: WizSession,
        gives_up: bool,
    ) -> Pin<Box<dyn Future<Output = Result<(), Error>>>> {
        let key = self.key();
        let note = if gives_up { ", given up" } else { "" };
        // A transaction that is given up is not done.
        match self.random.u8(..if gives_up { 2 } else { 3 }) {
            0 => {
                self.done.push(format!("save{note}"));
                Box::pin(async move { session.save().await })
            }
            1 => {
                self.done.push(format!("reload{note}"));
                Box::pin(async move { session.reload().await })
            }
            _ => {
                self.done.push(format!("transaction: {key} += 100"));
                *self.values.entry(key).or_default() += 100;
                let add = move |value: &mut i64| *value += 100;
                Box::pin(async move {
                    let added = session.transaction(|tx| tx.update(key, add)).await;
                    added.map(drop)
                })
            }
        }
    }

    fn change(&mut self, session: &WizSession) {
        let (key, number) = (self.key(), self.random.i64(-2..3));
        match self.random.u8(..10) {
            0..3 => {
                self.done.push(format!("{key} = {number}"));
                self.values.insert(key, number);
                session.set(key, number).unwrap();
            }
            3..5 => {
                self.done.push(format!("delete {key}"));
                self.values.remove(key);
                session.delete(key);
            }
            5..8 => {
                self.done.push(format!("{key} += {number}"));
                *self.values.entry(key).or_default() += number;
                let add = move |value: &mut i64| *value += number;
                session.update(key, add).unwrap();
            }
            8 => {
                let user = self.random.choice(["alice", "bob"]).expect("one of them");
                self.done.push(format!("log in {user}"));
                if self.user.is_some_and(|former| former != user) {
                    self.values.clear();
                }
                self.user = Some(user);
                session.log_in(user);
            }
            _ if self.random.bool() => {
                self.done.push("clear".to_owned());
                self.values.clear();
                self.user = None;
                session.clear();
            }
            _ => {
                self.done.push("regenerate, remember".to_owned());
                session.regenerate();
                session.remember(Duration::from_secs(60 * 60 * self.random.u64(1..4)));
            }
        }
    }

    fn key(&mut self) -> &'static str {
        self.random.choice(["a", "b"]).expect("one of them")
    }

    fn check(&self, seed: u64, session: &WizSession) {
        let values = session.to_map().into_iter();
        let values: BTreeMap<_, _> = values.map(|(key, value)| (key, value.as_i64())).collect();
        let expected = self.values.iter();
        let expected: BTreeMap<_, _> = expected
            .map(|(key, value)| ((*key).to_owned(), Some(*value)))
            .collect();
        let found = (session.user(), values);
        assert_eq!(
            found,
            (self.user.map(str::to_owned), expected),
            "WIZ_MEANWHILE_SEED={seed}: {:#?}",
            self.done
        );
    }
}
