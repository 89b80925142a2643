//! Digests of texts, with and without a key.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest as _, Sha256, Sha512};

use super::{Call, Filter, as_text, filter};

pub(super) const FILTERS: &[Filter] = &[
    filter("md5", (0, 0), |call| as_text(hex(&Md5::digest(call.text().as_bytes())))),
    filter("sha1", (0, 0), |call| as_text(hex(&Sha1::digest(call.text().as_bytes())))),
    filter("sha2", (0, 0), |call| as_text(hex(&Sha256::digest(call.text().as_bytes())))),
    filter("hmac_sha1", (1, 1), |call| as_text(hex(&hmac::<Hmac<Sha1>>(call)))),
    filter("hmac_sha1_hex", (1, 1), |call| as_text(hex(&hmac::<Hmac<Sha1>>(call)))),
    filter("hmac_sha1_base64", (1, 1), |call| {
        as_text(BASE64_STANDARD.encode(hmac::<Hmac<Sha1>>(call)))
    }),
    filter("hmac_sha256", (1, 1), |call| as_text(hex(&hmac::<Hmac<Sha256>>(call)))),
    filter("hmac_sha256_hex", (1, 1), |call| as_text(hex(&hmac::<Hmac<Sha256>>(call)))),
    filter("hmac_sha256_base64", (1, 1), |call| {
        as_text(BASE64_STANDARD.encode(hmac::<Hmac<Sha256>>(call)))
    }),
    filter("hmac_sha512", (1, 1), |call| as_text(hex(&hmac::<Hmac<Sha512>>(call)))),
];

fn hex(bytes: &[u8]) -> String {
    contract::digest::as_hex(bytes)
}

/// The digest of a text with a key.
fn hmac<M: Mac + KeyInit>(call: &Call<'_>) -> Vec<u8> {
    // A key of any length is taken.
    let Ok(mut mac) = <M as KeyInit>::new_from_slice(call.text_of(0).as_bytes()) else {
        return Vec::new();
    };
    mac.update(call.text().as_bytes());
    mac.finalize().into_bytes().to_vec()
}
