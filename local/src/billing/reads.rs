//! The read units of look-ups, whose client is of the api's own making: an item of up to four
//! KiB, eventually consistent, for each key of a request.

use std::sync::Arc;

use aws_config::SdkConfig;
use aws_smithy_runtime_api::client::http::HttpConnector as _;

use super::Billing;
use crate::calls;

/// Read units of a key.
const OF_A_KEY: f64 = 0.5;

/// How a key begins in a request: in a text its quotes would be escaped.
const KEY: &[u8] = br#""item":{"S":"#;

impl Billing {
    /// The same configuration, whose reads are counted for look-ups.
    pub(crate) fn counts_reads(self: &Arc<Self>, config: &SdkConfig) -> SdkConfig {
        let billing = Arc::clone(self);
        calls::by(config, move |inner, request| {
            let body = request.body().bytes().unwrap_or_default();
            let keys = body.windows(KEY.len()).filter(|window| *window == KEY).count();
            billing.add_reads(keys as f64 * OF_A_KEY);
            inner.call(request)
        })
    }
}
