//! Passwords, which are kept as Argon2 hashes only.

use argon2::Argon2;
use argon2::password_hash::PasswordVerifier;
use argon2::password_hash::phc::PasswordHash;
use tokio::sync::Semaphore;
use tokio::task;

/// The hash of a password that nobody knows.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$cVothdm3qrkd5JtIaVN6VA$VJZd/J/yzh9SEN51rV4icE9RBEsfG1A9vvtKGK3W5/M";

/// A verification takes 19 MiB and a core for a while: a flood of logins waits here, not in memory.
static AT_ONCE: Semaphore = Semaphore::const_new(4);

/// Whether `password` is the one behind `hash`.
///
/// Without a hash the work is the same and the answer no, so that the time it takes does not tell
/// which accounts exist.
pub(crate) async fn verify(password: String, hash: Option<&'static str>) -> bool {
    // An error means the semaphore was closed, which nobody does.
    let permit = AT_ONCE.acquire().await;
    let verified = task::spawn_blocking(move || {
        let _permit = permit;
        matches(&password, hash.unwrap_or(NOBODY))
    });
    // A verification that panicked has verified nobody.
    verified.await.unwrap_or(false) && hash.is_some()
}

fn matches(password: &str, hash: &str) -> bool {
    PasswordHash::new(hash).is_ok_and(|hash| {
        Argon2::default()
            .verify_password(password.as_bytes(), &hash)
            .is_ok()
    })
}
