//! A recorder that uses the session it counts: it may, and nothing hangs.

use std::{
    panic::resume_unwind,
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::Duration,
};

use axum::extract::Request;
use http::header::COOKIE;
use metrics::{
    Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit,
    set_default_local_recorder,
};
use tokio::runtime;
use tower::{Layer, ServiceExt, service_fn};
use wiz_session::{
    Error, Key as SecretKey, MemoryStore, WizSession, WizSessionLayer,
    test_util::{TestStore, session_cookie},
};

use crate::intruder::Intruder;

struct Nosy;

impl Recorder for Nosy {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, _: &Key, _: &Metadata<'_>) -> Counter {
        Intruder::writes();
        Counter::noop()
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Intruder::writes();
        Gauge::noop()
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Intruder::writes();
        Histogram::noop()
    }
}

#[test]
fn a_recorder_may_use_the_session_whenever_it_counts() {
    for is_immediate in [true, false] {
        let (alive, watch) = mpsc::channel::<()>();
        let thread = thread::spawn(move || {
            let _alive = alive;
            let layer = match is_immediate {
                true => WizSessionLayer::new(MemoryStore::new(), SecretKey::generate()),
                false => WizSessionLayer::new(TestStore::new(), SecretKey::generate()),
            };
            let runtime = runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(everything(&layer));
        });
        match watch.recv_timeout(Duration::from_secs(30)) {
            Err(RecvTimeoutError::Timeout) => panic!("it hangs; immediate: {is_immediate}"),
            _ => thread.join().unwrap_or_else(|panic| resume_unwind(panic)),
        }
    }
}

/// Sessions that are changed, moved and ended, by `save` and by the commit after the handler.
async fn everything(layer: &WizSessionLayer) {
    let _recorder = set_default_local_recorder(&Nosy);
    for does in Intruder::DEEDS {
        for saves in [false, true] {
            let cookie = session_cookie(layer, |session| session.set("a", 1)).await;
            for _visit in 0..2 {
                let service = service_fn(async |request: Request| {
                    let session = WizSession::from_extensions(request.extensions()).await?;
                    Intruder::knows(&session);
                    does(&session);
                    if saves {
                        // The second visit finds that some of them have ended.
                        let _gone = session.save().await;
                    }
                    Ok::<_, Error>(http::Response::new(()))
                });
                let mut request = Request::default();
                request.headers_mut().insert(COOKIE, cookie.clone());
                let response = layer.layer(service).oneshot(request).await;
                assert_eq!(response.expect("the handler succeeds").status(), 200);
                Intruder::leave();
            }
        }
    }
    assert!(Intruder::uses() > 0);
}
