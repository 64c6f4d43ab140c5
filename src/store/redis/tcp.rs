use std::time::Duration;

use redis::io::tcp::{TcpSettings, socket2::TcpKeepalive};

/// No Nagle's algorithm, and keep-alive probes that notice a peer which vanished while the connection is idle.
pub(super) fn tcp_settings() -> TcpSettings {
    let keepalive = TcpKeepalive::new().with_time(Duration::from_secs(30));
    TcpSettings::default()
        .set_nodelay(true)
        .set_keepalive(keepalive)
}
