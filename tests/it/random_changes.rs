//! Changes at random, while calls wait for the store or are given up.

use std::{collections::BTreeMap, pin::Pin, time::Duration};

use fastrand::Rng;
use http::StatusCode;
use wiz_session::{Error, WizSession};

use crate::support::{Fault, Gate, Site, StoreMethod};

/// What one handle does while a call of another waits, and the call, come to what they come to one after the other.
#[tokio::test]
async fn random_changes_during_random_calls_are_done_in_their_order() {
    let only = std::env::var("WIZ_CHANGES_SEED").ok();
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
            "WIZ_CHANGES_SEED={seed}: {:#?}",
            self.done
        );
    }
}
