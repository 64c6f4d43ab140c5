//! Clients who read, write, log in and out, leave in mid-request and come back.

use std::{io, sync::Arc, time::Duration};

use fastrand::Rng;
use serde_json::Value;
use tokio::task::JoinSet;

use crate::{
    connection::{Answer, Connection},
    plan::Plan,
    request::{self, Identity, Kind},
    traffic::{Traffic, WATCHERS, count},
    watcher,
};

const VISITORS: u64 = 48;

/// So many requests in a row, at the most.
const IN_A_ROW: usize = 8;

/// After an answer that the store is not there.
const PAUSE: Duration = Duration::from_millis(20);

/// Until all requests are sent. Each then logs out, and all watchers have left.
pub(crate) async fn all_come_and_go(plan: &Plan, traffic: &Arc<Traffic>) {
    let mut visitors = JoinSet::new();
    for number in 0..VISITORS {
        let visitor = Visitor {
            traffic: Arc::clone(traffic),
            rng: Rng::with_seed(plan.seed.wrapping_add(number)),
            connections: [None, None],
            identity: Identity::Nobody,
            out: Vec::new(),
        };
        visitors.spawn(visitor.come_and_go());
    }
    while let Some(visitor) = visitors.join_next().await {
        visitor.expect("no panic");
    }
    let all = traffic.watchers.acquire_many(WATCHERS).await;
    drop(all.expect("it is not closed"));
}

struct Visitor {
    traffic: Arc<Traffic>,
    rng: Rng,
    /// To each of the servers.
    connections: [Option<Connection>; 2],
    identity: Identity,
    out: Vec<u8>,
}

impl Visitor {
    async fn come_and_go(mut self) {
        loop {
            let kinds = self.kinds();
            if self.traffic.take(kinds.len() as u64).is_none() {
                break;
            }
            let server = self.rng.usize(..2);
            match self.rng.u16(..1_000) {
                0..2 => self.leave(server).await,
                2..8 => self.watch(server),
                // The browser's data are deleted: nobody logs out.
                8..14 => self.identity = Identity::Nobody,
                _ => {}
            }
            self.ask(server, &kinds).await;
        }
        self.log_out_at_last().await;
    }

    /// Some in a row, with one cookie: so without a session there is one request only, and what changes the id is the last.
    fn kinds(&mut self) -> Vec<Kind> {
        let most = match self.identity.is_nobody() {
            true => 1,
            false => self.rng.usize(1..=IN_A_ROW),
        };
        let mut kinds = Vec::with_capacity(most);
        for _ in 0..most {
            let kind = Kind::any(&mut self.rng);
            kinds.push(kind);
            if matches!(kind, Kind::LogIn { .. } | Kind::LogOut) {
                break;
            }
        }
        kinds
    }

    async fn ask(&mut self, server: usize, kinds: &[Kind]) {
        let identity = self.identity.clone();
        self.out.clear();
        for kind in kinds {
            kind.write(&identity, &mut self.rng, &mut self.out);
        }
        let mut answered = 0;
        let result = self
            .all_answered(server, kinds, &identity, &mut answered)
            .await;
        if result.is_err() {
            self.connections[server] = None;
            count(&self.traffic.counts.lost, (kinds.len() - answered) as u64);
            for kind in &kinds[answered..] {
                self.is_in_doubt(*kind, &identity);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn all_answered(
        &mut self,
        server: usize,
        kinds: &[Kind],
        identity: &Identity,
        answered: &mut usize,
    ) -> io::Result<()> {
        let port = self.traffic.ports[server];
        let mut connection = match self.connections[server].take() {
            Some(connection) => connection,
            None => Connection::open(port).await?,
        };
        connection.send(&self.out).await?;
        let mut is_refused = false;
        for kind in kinds {
            let answer = connection.answer().await?;
            *answered += 1;
            is_refused |= answer.status == 503;
            self.note(*kind, identity, answer);
        }
        self.connections[server] = Some(connection);
        if is_refused {
            tokio::time::sleep(PAUSE).await;
        }
        Ok(())
    }

    fn note(&mut self, kind: Kind, presented: &Identity, answer: Answer) {
        let Traffic {
            reckoning, counts, ..
        } = &*self.traffic;
        match (kind, answer.status) {
            (_, 503) => {
                count(&counts.refused, 1);
                return self.is_in_doubt(kind, presented);
            }
            (Kind::LogIn { .. }, 200) => count(&counts.logins, 1),
            (Kind::LogOut, 200) => {
                self.identity = Identity::Nobody;
                presented.value().inspect(|value| reckoning.ended(value));
            }
            // A wrong password; nobody logged in whose logins could be listed; a page that needs a login; a session that
            // was over when its change was to be stored.
            (_, 200 | 303 | 401 | 409) => {}
            (kind, status) => panic!(
                "{kind:?} was answered {status}: {}",
                String::from_utf8_lossy(&answer.body)
            ),
        }
        if let Some(value) = answer.cookie.filter(|value| !value.is_empty()) {
            reckoning.began(&value);
            self.identity = Identity::Cookie(value);
        }
        if kind == (Kind::LogIn { token: true }) && answer.status == 200 {
            let body: Value = serde_json::from_slice(&answer.body).expect("JSON");
            let value = body["token"].as_str().expect("a token").to_owned();
            reckoning.began(&value);
            self.identity = Identity::Token(value);
        }
    }

    /// It may have been done. With a session that may have ended by it the visitor does not go on: whether a later write
    /// began another one could not be told.
    fn is_in_doubt(&mut self, kind: Kind, presented: &Identity) {
        let begins = match kind {
            Kind::Read | Kind::Forged | Kind::LogOut => false,
            Kind::Write => presented.is_nobody(),
            Kind::LogIn { .. } => true,
        };
        if begins {
            self.traffic.reckoning.may_have_begun();
        }
        if matches!(kind, Kind::LogIn { .. } | Kind::LogOut) {
            self.identity = Identity::Nobody;
        }
    }

    /// A client that goes away before the head, the body or the answer of its request is through.
    async fn leave(&mut self, server: usize) {
        count(&self.traffic.counts.left, 1);
        let Some(mut connection) = self.connections[server].take() else {
            return;
        };
        self.out.clear();
        let body = format!(r#"{{"key":"left","value":1,"ms":{}}}"#, self.rng.u8(..100));
        request::head(
            "/api/slow_set",
            Some(body.len()),
            &self.identity,
            &mut self.out,
        );
        let head = self.out.len();
        self.out.extend_from_slice(body.as_bytes());
        let sent = match self.rng.u8(..3) {
            0 => self.rng.usize(1..head),
            1 => self.rng.usize(head..self.out.len()),
            _ => self.out.len(),
        };
        if sent == self.out.len() && self.identity.is_nobody() {
            self.traffic.reckoning.may_have_begun();
        }
        // The server may have closed it.
        let _ = connection.send(&self.out[..sent]).await;
    }

    /// Beside the requests to come.
    fn watch(&mut self, server: usize) {
        let Ok(permit) = Arc::clone(&self.traffic.watchers).try_acquire_owned() else {
            return;
        };
        let (port, rng) = (self.traffic.ports[server], self.rng.fork());
        let identity = self.identity.clone();
        let traffic = Arc::clone(&self.traffic);
        tokio::spawn(async move {
            let watched = watcher::watch(port, &identity, rng).await;
            count(&traffic.counts.watched, u64::from(watched.is_ok()));
            drop(permit);
        });
    }

    async fn log_out_at_last(mut self) {
        if !self.identity.is_nobody() {
            self.ask(0, &[Kind::LogOut]).await;
        }
    }
}
