use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use crate::exit::Exit;

/// Whether Ctrl-C was pressed. Once it is watched for it no longer ends the program, but for the second one.
#[derive(Debug)]
pub(crate) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    pub(crate) fn watch() -> Self {
        let pressed = Arc::new(AtomicBool::new(false));
        tokio::spawn(note(Arc::clone(&pressed)));
        Self(pressed)
    }

    pub(crate) fn came(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

async fn note(pressed: Arc<AtomicBool>) {
    // Where nobody can watch for it, it ends the program as usual.
    while tokio::signal::ctrl_c().await.is_ok() {
        if pressed.swap(true, Ordering::Relaxed) {
            std::process::exit(Exit::Interrupted as i32);
        }
    }
}
