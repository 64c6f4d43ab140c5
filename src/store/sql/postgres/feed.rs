use std::{pin::pin, time::Duration};

use futures_util::{
    StreamExt as _,
    future::{Either, select},
};
use tokio::time::{Instant, sleep, timeout};
use tokio_postgres::Notification;

use super::connector::{Connector, OPEN_TIMEOUT, Opened};
use crate::store::{Ended, Feed};

const PAUSES: [Duration; 2] = [Duration::from_millis(50), Duration::from_secs(5)];

/// Listens on a connection of its own, so that its loss costs no statement, and opens another whenever it is lost.
///
/// Behind a pooler in transaction mode it hears nothing: then looking is what is left.
pub(super) async fn listen(connector: &Connector, channel: &str, feed: Feed) {
    let [first, longest] = PAUSES;
    let mut pause = first;
    loop {
        let since = Instant::now();
        if let Ok(Ok(opened)) = timeout(OPEN_TIMEOUT, connector.open()).await {
            report(opened, channel, &feed).await;
        }
        if since.elapsed() > longest {
            pause = first;
        }
        sleep(pause).await;
        pause = (2 * pause).min(longest);
    }
}

/// Reports what is told, until the connection breaks.
async fn report(Opened { client, driver }: Opened, channel: &str, feed: &Feed) {
    let listen = format!("LISTEN {channel}");
    let listening = async {
        if client.batch_execute(&listen).await.is_ok() {
            // What was told before is lost.
            feed.gap();
            std::future::pending::<()>().await;
        }
    };
    let reporting = driver.for_each(|told| {
        report_one(&told, feed);
        std::future::ready(())
    });
    // Whichever ends first.
    match select(pin!(listening), pin!(reporting)).await {
        Either::Left(_) | Either::Right(_) => {}
    }
}

/// Other applications may use the channel: a payload that does not parse is ignored.
fn report_one(told: &Notification, feed: &Feed) {
    let Some((why, handle)) = told.payload().split_once(' ') else {
        return;
    };
    let why = match why {
        "logged_out" => Ended::LoggedOut,
        "revoked" => Ended::Revoked,
        "moved" => Ended::Moved,
        _ => return,
    };
    if let Ok(handle) = handle.parse() {
        feed.ended(handle, why);
    }
}
