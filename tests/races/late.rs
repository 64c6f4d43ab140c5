//! A task that first uses the session at the moment when its response leaves.

use std::{convert::Infallible, future::ready, hint, sync::mpsc, thread};

use fastrand::Rng;
use http::{Extensions, Request, Response, header::SET_COOKIE};
use tokio::runtime::Handle;
use tower::{Layer, Service, service_fn};
use wiz_session::{Key, MemoryStore, WizSession, WizSessionLayer};

/// That moment is nanoseconds long: where the layer looks for a session only before it lets the head leave, a release
/// build of this needs some 500,000 rounds to lose one.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_is_begun_as_the_response_leaves_has_its_cookie() {
    const ROUNDS: usize = 40_000;
    let layer = WizSessionLayer::new(MemoryStore::new(), Key::generate());
    let (to_task, requests) = mpsc::channel::<Extensions>();
    let (answer, answers) = mpsc::channel();
    let runtime = Handle::current();
    let task = thread::spawn(move || {
        for extensions in requests {
            let begin = async {
                let session = WizSession::from_extensions(&extensions).await?;
                session.set("a", 1)?;
                session.save().await
            };
            let begun = runtime.block_on(begin).is_ok();
            answer.send(begun).expect("it is waited for");
        }
    });
    let (mut random, mut pause) = (Rng::new(), 500);
    for round in 0..ROUNDS {
        let mut service = layer.layer(service_fn(|request: Request<()>| {
            let extensions = request.extensions().clone();
            to_task.send(extensions).expect("it listens");
            for _ in 0..pause + random.u32(..50) {
                hint::spin_loop();
            }
            ready(Ok::<_, Infallible>(Response::new(String::new())))
        }));
        let Ok(response) = service.call(Request::new(())).await;
        let sent = response.headers().contains_key(SET_COOKIE);
        let begun = answers.recv().expect("an answer");
        assert!(
            !begun || sent,
            "round {round}: saved, and nobody has the cookie"
        );
        // Half of them in time, and half of them late: that is where the moment is.
        pause = if begun {
            pause.saturating_sub(5)
        } else {
            pause + 5
        };
    }
    drop(to_task);
    task.join().expect("no panic");
}
