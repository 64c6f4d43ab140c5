//! HTTPS without a proxy: a certificate and a key from files, and a listener that speaks TLS.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::serve::Listener;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

/// What a server shows to those who connect.
pub(crate) struct Identity(Arc<ServerConfig>);

impl Identity {
    /// From files in PEM.
    pub(crate) fn read(certificate: &str, key: &str) -> Result<Self, String> {
        let unreadable = |name: &str, error: &dyn std::fmt::Display| {
            format!("cannot read {name}: {error}; it has to be a file in PEM")
        };
        let chain = CertificateDer::pem_file_iter(Path::new(certificate))
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| unreadable("TLS_CERT", &error))?;
        let key = PrivateKeyDer::from_pem_file(Path::new(key))
            .map_err(|error| unreadable("TLS_KEY", &error))?;
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring knows them")
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(|error| format!("TLS_CERT and TLS_KEY do not fit together: {error}"))?;
        Ok(Self(Arc::new(config)))
    }

    /// Takes connections of this listener.
    pub(crate) fn listen(self, listener: TcpListener) -> io::Result<Tls> {
        let Self(config) = self;
        let address = listener.local_addr()?;
        let (ready, connections) = mpsc::channel(64);
        tokio::spawn(accept(listener, TlsAcceptor::from(config), ready));
        Ok(Tls {
            address,
            connections,
        })
    }
}

/// Connections whose handshake is done.
pub(crate) struct Tls {
    address: SocketAddr,
    connections: mpsc::Receiver<Connection>,
}

type Connection = (TlsStream<TcpStream>, SocketAddr);

/// Each shakes hands in a task of its own, so that a slow one keeps no other waiting. Ends with the server.
async fn accept(listener: TcpListener, acceptor: TlsAcceptor, ready: mpsc::Sender<Connection>) {
    const PATIENCE: Duration = Duration::from_secs(10);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = ready.closed() => return,
        };
        let Ok((stream, address)) = accepted else {
            // Out of files, mostly: some will be closed in a moment.
            sleep(Duration::from_millis(100)).await;
            continue;
        };
        // Only latency is lost when the option cannot be set.
        let _ = stream.set_nodelay(true);
        let (acceptor, ready) = (acceptor.clone(), ready.clone());
        tokio::spawn(async move {
            if let Ok(Ok(stream)) = timeout(PATIENCE, acceptor.accept(stream)).await {
                // Unless the server has stopped.
                let _ = ready.send((stream, address)).await;
            }
        });
    }
}

impl Listener for Tls {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> Connection {
        match self.connections.recv().await {
            Some(connection) => connection,
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}
