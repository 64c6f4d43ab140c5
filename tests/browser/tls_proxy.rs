//! What stands before a server in production: a proxy that speaks TLS. Its certificate is made for the occasion.

use std::sync::Arc;

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::ring,
        pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    },
};

/// Starts a proxy before this server and gives its URL. It ends with the test's runtime.
pub(crate) async fn start(server: &str) -> String {
    let server: String = server
        .trim_start_matches("http://")
        .trim_end_matches('/')
        .to_owned();
    let acceptor = TlsAcceptor::from(Arc::new(self_signed()));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("its address");
    tokio::spawn(async move {
        let mut connections = JoinSet::new();
        loop {
            let (client, _) = listener.accept().await.expect("a connection");
            connections.spawn(forward(client, acceptor.clone(), server.clone()));
        }
    });
    format!("https://{address}/")
}

/// A connection that breaks is the browser's to notice.
async fn forward(client: TcpStream, acceptor: TlsAcceptor, server: String) -> std::io::Result<()> {
    let mut client = acceptor.accept(client).await?;
    let mut server = TcpStream::connect(server).await?;
    copy_bidirectional(&mut client, &mut server).await?;
    Ok(())
}

fn self_signed() -> ServerConfig {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions that ring knows")
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], PrivateKeyDer::Pkcs8(key))
        .expect("a certificate and its key")
}
