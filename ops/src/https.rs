//! The HTTPS client for what no SDK is linked for.

use anyhow::Context as _;
use bytes::Bytes;
use http_body_util::Full;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

/// Sends requests whose bodies are in memory.
pub(crate) type Https = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// A client that trusts whom this machine trusts.
pub(crate) fn client() -> anyhow::Result<Https> {
    let provider = rustls::crypto::ring::default_provider();
    let connector = HttpsConnectorBuilder::new()
        .with_provider_and_native_roots(provider)
        .context("reading this machine's certificates")?
        .https_or_http()
        .enable_http1()
        .build();
    Ok(Client::builder(TokioExecutor::new()).build(connector))
}
