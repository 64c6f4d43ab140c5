//! Serving until told to stop, then finishing the requests under way.

use std::io;
use std::time::Duration;

use axum::serve::Listener;
use axum::{Extension, Router};
use tokio::sync::watch;

/// How long a request that does not end may hold up the exit.
const GRACE: Duration = Duration::from_secs(10);

/// Known to what would never end by itself, such as a stream of events or a WebSocket.
#[derive(Clone)]
pub(crate) struct Stopping(watch::Receiver<bool>);

impl Stopping {
    /// Waits until the server stops.
    pub(crate) async fn wait(&self) {
        let mut stopping = self.0.clone();
        // The sender is gone only when the server is.
        let _ = stopping.wait_for(|stopping| *stopping).await;
    }
}

/// Serves `app` until `stop`, then waits for the requests under way, [`GRACE`] at most.
pub(crate) async fn serve<L>(
    listener: L,
    app: Router,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()>
where
    L: Listener<Addr: std::fmt::Debug>,
{
    let (stopping, stopped) = watch::channel(false);
    let stopped = Stopping(stopped);
    let app = app.layer(Extension(stopped.clone()));
    let server = axum::serve(listener, app).with_graceful_shutdown(async move {
        stop.await;
        // Its receivers are gone only when the server is.
        let _ = stopping.send(true);
    });
    let out_of_patience = async {
        stopped.wait().await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        served = server => served,
        () = out_of_patience => {
            eprintln!("stopped with requests still open after {} s", GRACE.as_secs());
            Ok(())
        }
    }
}

/// Resolves at the first Ctrl-C or SIGTERM. Listens from now on, not from the first poll.
#[cfg(unix)]
pub(crate) fn signal() -> io::Result<impl Future<Output = ()> + Send + 'static> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Resolves at the first Ctrl-C.
#[cfg(windows)]
pub(crate) fn signal() -> io::Result<impl Future<Output = ()> + Send + 'static> {
    let mut interrupt = tokio::signal::windows::ctrl_c()?;
    Ok(async move {
        interrupt.recv().await;
    })
}
