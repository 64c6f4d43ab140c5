//! Server-side sessions for axum and tower.
