//! The session live: what a page shows follows what any tab, process or administrator does.

use std::convert::Infallible;

use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use axum::routing::get;
use axum::{Extension, Router};
use futures_util::{Stream, stream};
use serde_json::json;
use wiz_session::{Ended, WizSession};

use crate::model::{Users, snapshot};
use crate::shutdown::Stopping;

pub(super) fn routes() -> Router<Users> {
    Router::new().route("/api/events", get(events))
}

async fn events(
    session: WizSession,
    Extension(stopping): Extension<Stopping>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    // A page that is open is not used by that.
    session.skip_touch();
    let live = Live { session, stopping };
    let events = stream::unfold((Some(Next::Show), live), |(next, live)| async move {
        let event = match next? {
            Next::Show => live.show(),
            Next::Wait => live.wait().await?,
        };
        let next = match event {
            News::Session(_) => Some(Next::Wait),
            News::Ended(_) => None,
        };
        Some((Ok(event.into()), (next, live)))
    });
    Sse::new(events).keep_alive(KeepAlive::default())
}

enum Next {
    Show,
    Wait,
}

enum News {
    /// All that is in it, as JSON.
    Session(String),
    Ended(Ended),
}

impl From<News> for Event {
    fn from(news: News) -> Self {
        match news {
            News::Session(values) => Self::default().event("session").data(values),
            News::Ended(why) => {
                let reason = json!({ "reason": why.as_str() });
                Self::default().event("ended").data(reason.to_string())
            }
        }
    }
}

struct Live {
    session: WizSession,
    stopping: Stopping,
}

impl Live {
    fn show(&self) -> News {
        News::Session(snapshot::json(&self.session))
    }

    /// `None` when the server stops.
    async fn wait(&self) -> Option<News> {
        // A visitor has no session that could change or end, nor has one whose cookie is of an old one.
        if self.session.handle().is_none() {
            self.stopping.wait().await;
            return None;
        }
        loop {
            tokio::select! {
                () = self.stopping.wait() => return None,
                why = self.session.ended() => return Some(News::Ended(why)),
                () = self.session.changed() => {}
            }
            match self.session.reload().await {
                Ok(()) => return Some(self.show()),
                // Then `ended` knows why. A store that failed is asked again at the next change.
                Err(error) if error.is_gone() => {}
                Err(_) => tokio::time::sleep(std::time::Duration::from_secs(1)).await,
            }
        }
    }
}
