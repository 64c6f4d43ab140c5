//! Commits that are stored and whose answer is lost: each takes effect exactly once.

use std::sync::Arc;

use axum::{Router, extract::Path, routing::post};
use tokio::sync::Mutex;
use wiz_session::{CookieOptions, Error, Key, RedisStore, Sessions, WizSession, WizSessionLayer};

use crate::{client::Client, lost_answers::send_scripts, proxy::Proxy, servers::Redis};

/// The application in two processes: one behind the proxy, the other at the server itself.
struct Shop {
    proxy: Proxy,
    app: Router,
    other: Router,
    sessions: Sessions,
    /// That of the last request to `/keep`, which outlives it.
    kept: Arc<Mutex<Option<WizSession>>>,
    _redis: Redis,
}

impl Shop {
    async fn start() -> Self {
        let redis = Redis::start(&[]);
        let proxy = Proxy::before(&redis).await;
        let store = proxy.store().await;
        send_scripts(&store).await;
        let (key, kept) = (Key::generate(), Arc::default());
        let layer = |store: RedisStore| {
            let builder = WizSessionLayer::builder(store, key.clone());
            let cookie = CookieOptions::insecure("sid");
            builder
                .cookie(cookie)
                .build()
                .expect("a valid configuration")
        };
        let other = layer(redis.store().await);
        Self {
            app: app(layer(store), Arc::clone(&kept)),
            sessions: other.sessions(),
            other: app(other, Arc::default()),
            proxy,
            kept,
            _redis: redis,
        }
    }

    /// A client whose session counts 1.
    async fn client(&self) -> Client {
        let mut client = Client::default();
        assert_eq!(client.visit(&self.app, "/count").await.status, 200);
        client
    }

    /// A request of which the answer to this command, counted from 0, is lost. It succeeds all the same.
    async fn visit_losing(&self, answer: usize, client: &mut Client, path: &str) -> Visit {
        self.proxy.lose_answer_after(answer);
        let answer = client.visit(&self.app, path).await;
        assert!(self.proxy.has_lost_it());
        assert_eq!(answer.status, 200, "{path}");
        Visit {
            cookies: answer.set_cookie.len(),
            body: answer.body,
        }
    }

    /// A request of which the answer to the write is lost, while another process counts so many times.
    async fn count_below(&self, others: usize, client: &Client) -> u16 {
        let shut = self.proxy.shut_after(1).await;
        let (app, requester) = (self.app.clone(), client.clone());
        let request = tokio::spawn(async move { requester.peek(&app, "/count").await });
        while !self.proxy.has_lost_it() {
            tokio::task::yield_now().await;
        }
        for _ in 0..others {
            assert_eq!(client.peek(&self.other, "/count").await.status, 200);
        }
        drop(shut);
        request.await.expect("it does not panic").status.as_u16()
    }

    async fn count_of(&self, client: &Client) -> String {
        client.peek(&self.other, "/read").await.body
    }

    async fn sessions_of(&self, user: &str) -> usize {
        let sessions = self.sessions.list(user).await;
        sessions.expect("the server is there").len()
    }
}

struct Visit {
    cookies: usize,
    body: String,
}

fn app(layer: WizSessionLayer, kept: Arc<Mutex<Option<WizSession>>>) -> Router {
    let keep = async move |session: WizSession| {
        *kept.lock().await = Some(session.clone());
        count(session).await
    };
    Router::new()
        .route("/count", post(count))
        .route("/keep", post(keep))
        .route("/transaction", post(count_in_transaction))
        .route("/read", post(read))
        .route("/log_in/{user}", post(log_in))
        .route(
            "/regenerate",
            post(async |session: WizSession| session.regenerate()),
        )
        .route("/clear", post(async |session: WizSession| session.clear()))
        .layer(layer)
}

async fn count(session: WizSession) -> Result<String, Error> {
    let n = session.update("n", |n: &mut u32| *n += 1)?;
    Ok(n.to_string())
}

async fn count_in_transaction(session: WizSession) -> Result<String, Error> {
    let n = session.transaction(|tx| tx.update("n", |n: &mut u32| *n += 1));
    Ok(n.await?.to_string())
}

async fn read(session: WizSession) -> String {
    session.get_value("n").unwrap_or_default().to_string()
}

async fn log_in(session: WizSession, Path(user): Path<String>) {
    session.log_in(user);
}

#[tokio::test]
async fn a_session_that_begins_is_one_with_one_cookie() {
    let shop = Shop::start().await;
    let mut visitor = Client::default();
    let visit = shop.visit_losing(0, &mut visitor, "/count").await;
    assert_eq!((visit.cookies, &*visit.body), (1, "1"));
    assert_eq!(shop.count_of(&visitor).await, "1");

    let mut user = Client::default();
    let visit = shop.visit_losing(0, &mut user, "/log_in/alice").await;
    assert_eq!(visit.cookies, 1);
    assert_eq!(shop.sessions_of("alice").await, 1);
    assert_eq!(user.visit(&shop.app, "/count").await.body, "1");
    assert_eq!(shop.count_of(&user).await, "1");
    let count = shop.sessions.count().await;
    assert_eq!(count.ok(), Some(2), "and no other record");
}

#[tokio::test]
async fn an_update_counts_once() {
    let shop = Shop::start().await;
    let mut client = shop.client().await;
    let visit = shop.visit_losing(1, &mut client, "/count").await;
    assert_eq!((visit.cookies, &*visit.body), (0, "2"));
    assert_eq!(shop.count_of(&client).await, "2");
}

#[tokio::test]
async fn an_update_counts_once_below_seven_of_another_process() {
    let shop = Shop::start().await;
    let client = shop.client().await;
    assert_eq!(shop.count_below(7, &client).await, 200);
    assert_eq!(shop.count_of(&client).await, "9");
}

#[tokio::test]
async fn an_update_below_more_than_seven_is_an_error_and_never_counts_twice() {
    let shop = Shop::start().await;
    let client = shop.client().await;
    for (others, count) in [(8, "10"), (9, "20")] {
        assert_eq!(shop.count_below(others, &client).await, 409);
        assert_eq!(shop.count_of(&client).await, count);
    }
}

#[tokio::test]
async fn a_new_id_is_the_only_one() {
    let shop = Shop::start().await;
    for path in ["/regenerate", "/log_in/alice"] {
        let mut client = shop.client().await;
        let before = client.clone();
        let visit = shop.visit_losing(1, &mut client, path).await;
        assert_eq!(visit.cookies, 1, "{path}");
        assert_ne!(client.cookie, before.cookie);
        assert_eq!(shop.count_of(&client).await, "1");
        assert_eq!(shop.count_of(&before).await, "null");
    }
    assert_eq!(shop.sessions_of("alice").await, 1);
    assert_eq!(shop.sessions.count().await.ok(), Some(2));
}

#[tokio::test]
async fn a_logout_is_one() {
    let shop = Shop::start().await;
    let mut client = shop.client().await;
    let before = client.clone();
    let visit = shop.visit_losing(1, &mut client, "/clear").await;
    assert_eq!((visit.cookies, &client.cookie), (1, &None));
    assert_eq!(shop.count_of(&before).await, "null");
    assert_eq!(shop.sessions.count().await.ok(), Some(0));
}

#[tokio::test]
async fn a_transaction_answers_what_was_committed() {
    let shop = Shop::start().await;
    let mut client = shop.client().await;
    let visit = shop.visit_losing(1, &mut client, "/transaction").await;
    assert_eq!(visit.body, "2");
    assert_eq!(shop.count_of(&client).await, "2");
}

#[tokio::test]
async fn what_cannot_be_looked_up_is_an_error_and_is_settled_by_the_next_save() {
    let shop = Shop::start().await;
    let mut client = shop.client().await;
    let shut = shop.proxy.shut_after(1).await;
    assert_eq!(client.visit(&shop.app, "/keep").await.status, 503);
    assert!(shop.proxy.has_lost_it());
    drop(shut);
    let session = shop.kept.lock().await.take().expect("it was kept");
    assert_eq!(shop.count_of(&client).await, "2", "it is stored");
    session.save().await.expect("the server is there");
    assert_eq!(shop.count_of(&client).await, "2", "and not again");
    assert_eq!(session.get("n").ok(), Some(Some(2)));
}
