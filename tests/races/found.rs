//! What the model and the fuzz found.

use std::{convert::Infallible, time::Duration};

use http::{
    HeaderValue, Request, Response, StatusCode,
    header::{COOKIE, SET_COOKIE},
};
use parking_lot::Mutex;
use tower::{Layer, ServiceExt, service_fn};
use wiz_session::{
    Clock, CookieOptions, Key, WizSession, WizSessionLayer,
    test_util::{Fault, StoreMethod, TestStore, cookie_header},
};

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 3600);

struct App {
    layer: WizSessionLayer,
    clock: Clock,
    store: TestStore,
}

impl App {
    fn new() -> Self {
        let (store, clock) = (TestStore::new(), Clock::manual());
        let layer = WizSessionLayer::builder(store.clone(), Key::from(&[1; 64]))
            .cookie(CookieOptions::insecure("sid"))
            .clock(clock.clone())
            .build()
            .expect("a valid configuration");
        Self {
            layer,
            clock,
            store,
        }
    }

    async fn visit(
        &self,
        cookie: Option<&HeaderValue>,
        act: impl AsyncFnOnce(WizSession),
    ) -> Response<()> {
        self.answer(cookie, StatusCode::OK, act).await
    }

    async fn answer(
        &self,
        cookie: Option<&HeaderValue>,
        status: StatusCode,
        act: impl AsyncFnOnce(WizSession),
    ) -> Response<()> {
        let act = Mutex::new(Some(act));
        let handler = service_fn(|request: Request<()>| {
            let act = act.lock().take().expect("one request");
            async move {
                let session = WizSession::from_extensions(request.extensions()).await;
                act(session.expect("the store answers")).await;
                let mut response = Response::new(());
                *response.status_mut() = status;
                Ok::<_, Infallible>(response)
            }
        });
        let mut request = Request::new(());
        if let Some(cookie) = cookie {
            request.headers_mut().insert(COOKIE, cookie.clone());
        }
        let Ok(response) = self.layer.layer(handler).oneshot(request).await;
        response.map(drop)
    }

    async fn begin(&self, remember: Option<Duration>) -> HeaderValue {
        let begun = self.visit(None, async |session| {
            session.set("a", 0).expect("it fits");
            if let Some(how_long) = remember {
                session.remember(how_long);
            }
        });
        cookie_header(&begun.await).expect("a session begins")
    }

    async fn has(&self, cookie: &HeaderValue, key: &str) -> bool {
        let mut has = false;
        let look = async |session: WizSession| has = session.contains_key(key);
        self.visit(Some(cookie), look).await;
        has
    }
}

#[tokio::test]
async fn a_request_that_works_for_long_keeps_its_changes_beside_others_in_a_remembered_session() {
    let app = App::new();
    let cookie = app.begin(Some(30 * DAY)).await;
    app.visit(Some(&cookie), async |session| {
        app.clock.advance(6 * MINUTE);
        let other = async |session: WizSession| session.set("other", 1).expect("it fits");
        app.visit(Some(&cookie), other).await;
        session.set("own", 1).expect("it fits");
    })
    .await;
    assert!(app.has(&cookie, "other").await);
    assert!(app.has(&cookie, "own").await);
}

#[tokio::test]
async fn a_session_that_is_remembered_for_less_outlives_a_touch_by_a_request_from_before() {
    let app = App::new();
    let cookie = app.begin(None).await;
    app.clock.advance(4 * MINUTE);
    app.visit(Some(&cookie), async |_| {
        let remember = async |session: WizSession| session.remember(10 * MINUTE);
        app.visit(Some(&cookie), remember).await;
    })
    .await;
    assert!(app.has(&cookie, "a").await);
}

#[tokio::test]
async fn a_session_that_is_forgotten_outlives_a_touch_under_way() {
    let app = App::new();
    let cookie = app.begin(Some(30 * DAY)).await;
    app.clock.advance(4 * DAY);
    let gate = app.store.pause(StoreMethod::Touch);
    let read = app.visit(Some(&cookie), async |_| {});
    let forget = async {
        gate.reached().await;
        app.visit(Some(&cookie), async |session| session.forget())
            .await;
        gate.open();
    };
    tokio::join!(read, forget);
    assert!(app.has(&cookie, "a").await);
}

#[tokio::test]
async fn a_wish_to_be_remembered_outlives_a_save_that_has_nothing_to_store() {
    let app = App::new();
    let begun = app.visit(None, async |session| {
        session.remember(30 * DAY);
        session.save().await.expect("there is nothing to store");
        session.set("a", 1).expect("it fits");
    });
    let begun = begun.await;
    let line = begun.headers()[SET_COOKIE].to_str().expect("ASCII");
    assert!(line.contains("Max-Age=2592000"), "{line}");
}

#[tokio::test]
async fn a_remembered_session_that_is_reloaded_has_its_cookie_sent_anew() {
    for saves in [true, false] {
        let app = App::new();
        let cookie = app.begin(Some(30 * DAY)).await;
        app.clock.advance(4 * DAY);
        let used = app.visit(Some(&cookie), async |session| {
            let looked = match saves {
                true => session.save().await,
                false => session.reload().await,
            };
            looked.expect("it lives");
        });
        let lines = used.await;
        let line = lines.headers().get(SET_COOKIE).expect("a cookie");
        let line = line.to_str().expect("ASCII");
        assert!(line.contains("Max-Age=2592000"), "{line}");
    }
}

#[tokio::test]
async fn an_answer_of_500_drops_what_a_save_could_not_store() {
    let app = App::new();
    let cookie = app.begin(None).await;
    let response = app.answer(
        Some(&cookie),
        StatusCode::INTERNAL_SERVER_ERROR,
        async |session| {
            session.set("b", 1).expect("it fits");
            app.store.fail(StoreMethod::Replace);
            session.save().await.expect_err("the store is away");
            app.store.heal();
        },
    );
    assert_eq!(response.await.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert!(!app.has(&cookie, "b").await);
}

#[tokio::test]
async fn a_login_that_an_answer_of_500_drops_leaves_nothing_in_the_former_users_session() {
    let app = App::new();
    let bob = app.visit(None, async |session| {
        session.log_in("bob");
        session.set("a", "of bob").expect("it fits");
    });
    let bob = cookie_header(&bob.await).expect("a login");
    let response = app.answer(
        Some(&bob),
        StatusCode::INTERNAL_SERVER_ERROR,
        async |session| {
            session.log_in("alice");
            session.set("a", "of alice").expect("it fits");
            app.store.fail(StoreMethod::Create);
            session.save().await.expect_err("the store is away");
            app.store.heal();
        },
    );
    response.await;
    let mut a = None;
    let look = async |session: WizSession| a = session.get::<String>("a").expect("a text");
    app.visit(Some(&bob), look).await;
    assert_eq!(a.as_deref(), Some("of bob"));
}

#[tokio::test]
async fn a_transaction_that_was_done_before_its_session_moved_does_not_say_that_nothing_was_written()
 {
    let app = App::new();
    let cookie = app.begin(None).await;
    app.visit(Some(&cookie), async |other| {
        app.visit(Some(&cookie), async |session| {
            app.store.fault(StoreMethod::Replace, Fault::DoneThenFail);
            let look_up = app.store.pause(StoreMethod::Load);
            let counted = session.transaction(|tx| tx.update("n", |n: &mut u32| *n += 1));
            let moves = async {
                look_up.reached().await;
                app.store.heal();
                other.reload().await.expect("it lives");
                other.regenerate();
                other.save().await.expect("it moves");
                look_up.open();
            };
            let (counted, ()) = tokio::join!(counted, moves);
            assert_eq!(other.get("n").expect("a number"), Some(1));
            assert!(!counted.is_err_and(|error| error.is_gone()));
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn a_transaction_after_a_login_does_not_say_ok_for_what_an_earlier_one_lost() {
    let app = App::new();
    let cookie = app.begin(None).await;
    let mut has_own = false;
    let mut counted = Ok(0);
    app.visit(Some(&cookie), async |session| {
        let moves = async |other: WizSession| other.regenerate();
        app.visit(Some(&cookie), moves).await;
        session.set("own", 1).expect("it fits");
        let count = async || {
            session
                .transaction(|tx| tx.update("n", |n: &mut u32| *n += 1))
                .await
        };
        app.store.fail(StoreMethod::Load);
        let error = count()
            .await
            .expect_err("the newest record cannot be loaded");
        assert!(
            error.is_store(),
            "nothing is lost, and it can be tried again"
        );
        app.store.heal();
        session.log_in("alice");
        counted = count().await;
        has_own = session.contains_key("own");
    })
    .await;
    assert!(has_own || counted.is_err());
}
