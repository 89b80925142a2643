//! What an item of the content table holds packed: JSON in a zstd frame with a dictionary.
//!
//! Guarantees: what [`pack`] writes [`unpack`] reads; a frame that was changed is told by its
//! checksum; whatever a frame claims, it takes no more memory than [`MAX_BYTES`] and what JSON of
//! that size becomes; and nothing is packed that would be too large for an item unpacked, so that
//! a compact item can become a plain one again.
//!
//! A frame names the number of its dictionary. One that was ever written with stays, as long as
//! items can live: another gets another number, and readers learn it a release before writers.
//! `make dictionary` trains one.
//!
//! Source: <https://datatracker.ietf.org/doc/html/rfc8878>

use std::cell::RefCell;
use std::io;
use std::sync::LazyLock;

use serde::Serialize;
use serde::de::DeserializeOwned;
use zstd::bulk::{Compressor, Decompressor};
use zstd::dict::{DecoderDictionary, EncoderDictionary};
use zstd::zstd_safe::{get_dict_id_from_frame, get_frame_content_size};

/// Most bytes of JSON that are packed: DynamoDB takes no larger item.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html>
pub const MAX_BYTES: usize = 400 * 1_024;

/// How hard it is tried to make frames small. Higher ones take several times as long to save some
/// bytes of an item.
const LEVEL: i32 = 3;

/// Number of the dictionary that is written with.
const NUMBER: u32 = 1;

/// The dictionary of that number.
const DICTIONARY: &[u8] = include_bytes!("../dictionary/1.zdict");

static WRITER: LazyLock<EncoderDictionary<'_>> =
    LazyLock::new(|| EncoderDictionary::copy(DICTIONARY, LEVEL));

static READER: LazyLock<DecoderDictionary<'_>> =
    LazyLock::new(|| DecoderDictionary::copy(DICTIONARY));

// To make one takes ten times as long as to pack an item.
thread_local! {
    static PACKING: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
    static UNPACKING: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

/// Bytes that nothing was packed into that this build reads.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// They are no frame, or do not say how much it holds, or it holds more than any.
    #[error("no frame of at most {MAX_BYTES} bytes")]
    Size,
    /// The frame was made with another dictionary, or with none.
    #[error("frame of another dictionary than {NUMBER}")]
    Dictionary,
    /// The frame was cut, or changed.
    #[error("frame is broken")]
    Broken(#[source] io::Error),
    /// It holds something else.
    #[error("frame holds other JSON, or none")]
    Foreign(#[source] serde_json::Error),
}

/// Packs what is JSON; `None` if that would be too large.
pub fn pack(fields: &impl Serialize) -> serde_json::Result<Option<Vec<u8>>> {
    let json = serde_json::to_vec(fields)?;
    Ok(if json.len() > MAX_BYTES { None } else { compressed(&json).ok() })
}

/// Reads what was packed.
pub fn unpack<T: DeserializeOwned>(packed: &[u8]) -> Result<T, Unreadable> {
    let size = get_frame_content_size(packed).ok().flatten();
    let size = size.and_then(|size| usize::try_from(size).ok()).filter(|size| *size <= MAX_BYTES);
    let size = size.ok_or(Unreadable::Size)?;
    // Without this a frame of no dictionary would be read, by whoever made it.
    if get_dict_id_from_frame(packed).is_none_or(|number| number.get() != NUMBER) {
        return Err(Unreadable::Dictionary);
    }
    let json = UNPACKING
        .with_borrow_mut(|zstd| made(zstd, decompressor)?.decompress(packed, size))
        .map_err(Unreadable::Broken)?;
    serde_json::from_slice(&json).map_err(Unreadable::Foreign)
}

/// A frame; it fails for want of memory only.
fn compressed(json: &[u8]) -> io::Result<Vec<u8>> {
    PACKING.with_borrow_mut(|zstd| made(zstd, compressor)?.compress(json))
}

fn made<T>(kept: &mut Option<T>, make: fn() -> io::Result<T>) -> io::Result<&mut T> {
    let made = match kept.take() {
        Some(made) => made,
        None => make()?,
    };
    Ok(kept.insert(made))
}

fn compressor() -> io::Result<Compressor<'static>> {
    let mut zstd = Compressor::with_prepared_dictionary(&WRITER)?;
    zstd.include_checksum(true)?;
    zstd.include_contentsize(true)?;
    Ok(zstd)
}

fn decompressor() -> io::Result<Decompressor<'static>> {
    Decompressor::with_prepared_dictionary(&READER)
}

#[cfg(test)]
mod tests;
