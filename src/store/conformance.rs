use super::SessionStore;
/// x
pub async fn run(_s: impl SessionStore) {}
