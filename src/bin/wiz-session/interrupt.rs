use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use crate::exit::Exit;

/// Whether Ctrl-C was pressed. Once it is watched for it no longer ends the program, but for the second one.
#[derive(Debug)]
pub(crate) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    pub(crate) fn watch() -> Self {
        let pressed = Arc::new(AtomicBool::new(false));
        let noted = Arc::clone(&pressed);
        // Where nobody can listen for it, it ends the program as usual.
        if let Ok(mut presses) = listen() {
            tokio::spawn(async move {
                while presses.recv().await.is_some() {
                    if noted.swap(true, Ordering::Relaxed) {
                        std::process::exit(Exit::Interrupted as i32);
                    }
                }
            });
        }
        Self(pressed)
    }

    pub(crate) fn came(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// From now on, not from the first poll of a task: the first batch may be done before that.
#[cfg(unix)]
fn listen() -> io::Result<tokio::signal::unix::Signal> {
    tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt())
}

/// Registers at once, as on Unix.
#[cfg(windows)]
fn listen() -> io::Result<tokio::signal::windows::CtrlC> {
    tokio::signal::windows::ctrl_c()
}
