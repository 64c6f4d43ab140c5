//! The clients of one history, who share a session and what comes of it, and what they do at random.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use fastrand::Rng;
use reqwest::Client;
use serde_json::Map;

use crate::{
    http,
    recorder::{OLDEST, Recorder, Recording},
    request::{Id, Kind, Outcome, Preference, User},
    site::Address,
};

/// A tombstone lives for half a minute, and the model knows no time.
const LONGEST: Duration = Duration::from_secs(15);

/// Each of them may have happened in between any others, which soon is more than can be looked at.
const MOST_UNKNOWN: usize = 6;

/// Runs the history of this number, with this seed, against these servers.
pub(crate) async fn history(
    number: u64,
    seed: u64,
    client: &Client,
    servers: Arc<[Address]>,
) -> Recording {
    let mut rng = Rng::with_seed(seed);
    let shared = Arc::new(Shared {
        client: client.clone(),
        servers,
        users: [User(2 * number), User(2 * number + 1)],
        recorder: Recorder::begin(),
        next: AtomicU32::new(1),
        unknown: AtomicUsize::new(0),
        began: Instant::now(),
    });
    let mut first = Visitor::new(&shared, rng.fork());
    for _ in 0..10 {
        let kind = match rng.u8(..10) {
            0..3 => Kind::LogIn(shared.users[0]),
            3..7 => Kind::Set("a", shared.number(), 0),
            _ => Kind::Add(1),
        };
        first.request(kind, None).await;
        if first.jar.is_some() {
            break;
        }
    }
    let visitors = (0..rng.usize(3..=5)).map(|_| {
        let mut visitor = Visitor::new(&shared, rng.fork());
        visitor.jar = first.jar;
        let requests = rng.usize(2..=5);
        tokio::spawn(async move { visitor.visit(requests).await })
    });
    // All of them begin at once.
    for visitor in visitors.collect::<Vec<_>>() {
        visitor.await.expect("no panic");
    }
    if rng.u8(..8) == 0 {
        // By now no cache may hold what was before.
        tokio::time::sleep(OLDEST).await;
    }
    for (id, _) in shared.recorder.cookies() {
        if first.request(Kind::Read, Some(id)).await == Seen::Something {
            // Later histories need the room.
            first.request(Kind::LogOut, Some(id)).await;
        }
    }
    first.request(Kind::Read, first.jar).await;
    drop(first);
    let shared = Arc::into_inner(shared).expect("all visitors are gone");
    shared.recorder.finish()
}

struct Shared {
    client: Client,
    servers: Arc<[Address]>,
    users: [User; 2],
    recorder: Recorder,
    /// No value is written twice.
    next: AtomicU32,
    unknown: AtomicUsize,
    began: Instant,
}

impl Shared {
    fn number(&self) -> u32 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    fn has_gone_on_for_long_enough(&self) -> bool {
        self.unknown.load(Ordering::Relaxed) >= MOST_UNKNOWN || self.began.elapsed() > LONGEST
    }
}

/// Whether there is something in a session, as far as an answer tells.
#[derive(PartialEq)]
enum Seen {
    Nothing,
    Something,
}

struct Visitor {
    shared: Arc<Shared>,
    rng: Rng,
    jar: Option<Id>,
}

impl Visitor {
    fn new(shared: &Arc<Shared>, rng: Rng) -> Self {
        Self {
            shared: Arc::clone(shared),
            rng,
            jar: None,
        }
    }

    async fn visit(&mut self, requests: usize) {
        for _ in 0..requests {
            if self.shared.has_gone_on_for_long_enough() {
                return;
            }
            let known = self.shared.recorder.cookies();
            let id = match self.rng.u8(..20) {
                0..14 => self.jar,
                14..19 => self.any(&known),
                _ => None,
            };
            let kind = self.choose(&known);
            self.request(kind, id).await;
        }
    }

    fn any(&mut self, known: &BTreeMap<Id, String>) -> Option<Id> {
        (!known.is_empty()).then(|| self.rng.usize(..known.len()))
    }

    fn choose(&mut self, known: &BTreeMap<Id, String>) -> Kind {
        let key = ["a", "b"][self.rng.usize(..2)];
        let product = self.rng.i64(1..=2);
        match self.rng.u8(..100) {
            0..18 => Kind::Read,
            18..34 => Kind::Set(
                key,
                self.shared.number(),
                self.rng.u32(..10).saturating_sub(4),
            ),
            34..42 => Kind::Flash(self.shared.number()),
            42..54 => Kind::Take,
            54..66 => Kind::Add(product),
            66..74 => Kind::Remove(product),
            74..77 => Kind::Clear,
            77..81 => Kind::Prefer(Preference::Theme(self.shared.number())),
            81..85 => Kind::Prefer(Preference::Language(self.shared.number())),
            85..88 => Kind::LogIn(self.shared.users[0]),
            88 => Kind::LogIn(self.shared.users[1]),
            89..92 => Kind::Regenerate,
            92..95 => Kind::LogOut,
            95..98 => self.any(known).map_or(Kind::Read, Kind::Revoke),
            _ => Kind::RevokeOthers,
        }
    }

    /// Sends a request to any of the servers, and writes down what comes of it.
    async fn request(&mut self, kind: Kind, id: Option<Id>) -> Seen {
        let recorder = &self.shared.recorder;
        let cookies = recorder.cookies();
        for _ in 0..20 {
            let server = &self.shared.servers[self.rng.usize(..self.shared.servers.len())];
            let request = http::build(&self.shared.client, &server.url, &kind, id, &cookies);
            let sent = recorder.call(kind.clone(), id, server.is_cached);
            match http::answer(request).await {
                Ok((503, ..)) => {}
                // So many commits came after it, or its session has ended.
                Ok((409, body, _)) if body.to_string().contains("can no longer be told") => {}
                Ok((status, body, set_cookie)) => {
                    let is_end = matches!(kind, Kind::LogOut | Kind::Revoke(_));
                    let new = set_cookie.filter(|cookie| {
                        assert!(is_end || !cookie.is_empty(), "{kind:?} removes the cookie");
                        !cookie.is_empty()
                    });
                    let new = new.map(|cookie| recorder.id(&cookie, sent));
                    self.jar = new.or(self.jar.filter(|_| !is_end));
                    let is_empty = body.as_object().is_none_or(Map::is_empty);
                    recorder.answer(
                        sent,
                        Outcome::Answered(status, http::seen(&kind, body), new),
                    );
                    return if is_empty {
                        Seen::Nothing
                    } else {
                        Seen::Something
                    };
                }
                Err(error) if error.is_connect() => {
                    recorder.forget(sent);
                    // It is being started again.
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
                Err(_) => {}
            }
            let weight = match kind {
                Kind::Read => 0,
                // It may have ended some sessions and not the others.
                Kind::RevokeOthers => 3,
                _ => 1,
            };
            self.shared.unknown.fetch_add(weight, Ordering::Relaxed);
            break;
        }
        Seen::Something
    }
}
