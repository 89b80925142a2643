//! Many user records in one stream record, in the format of the Kinesis Producer
//! Library, which KCL and other consumers read too.
//!
//! A stream record is `F3 89 9A C2`, a protobuf message and the MD5 of the message.
//! Guarantees: what [`encode`] writes [`decode`] reads, and bytes that only look
//! aggregated are told apart from bytes that are.
//!
//! Source: <https://github.com/awslabs/amazon-kinesis-producer/blob/master/aggregation-format.md>

use std::mem;

use bytes::Bytes;
use md5::{Digest as _, Md5};
use prost::Message as _;
use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint, key_len};

use crate::md5_lanes::checksums;

/// First bytes of an aggregated stream record.
pub const MAGIC: [u8; 4] = [0xF3, 0x89, 0x9A, 0xC2];

/// Longest partition key, in bytes (AWS limit: 256 characters).
const MAX_KEY_BYTES: usize = 1_024;

/// Most room that is made for the next stream record because the last one took it.
const MAX_AHEAD_BYTES: usize = 64 * 1024;

/// Bytes of the MD5 at the end.
pub const CHECKSUM_BYTES: usize = 16;

/// Most bytes that a member adds to its own data, its partition key included: tags,
/// lengths and indices of the protobuf message.
pub const MEMBER_OVERHEAD_BYTES: usize = 32;

/// One user record inside an aggregated stream record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Partition key of the user record: the user's Braze id.
    pub partition_key: String,
    /// Where in the stream's hash space it belongs, as a decimal 128-bit number;
    /// consumers drop members that lie outside the shard they came from.
    pub explicit_hash_key: Option<String>,
    /// The user record.
    pub data: Bytes,
}

/// A stream record has the first bytes and the checksum of an aggregated one, and no more.
#[derive(Debug, thiserror::Error)]
#[error("aggregated stream record does not parse")]
pub struct Undecodable(#[source] Option<prost::DecodeError>);

/// Packs members into one stream record.
pub fn encode(members: &[Member]) -> Vec<u8> {
    let mut aggregate = Aggregate::default();
    for member in members {
        let write = |out: &mut Vec<u8>| out.extend_from_slice(&member.data);
        let hash_key = member.explicit_hash_key.as_deref();
        aggregate.add(&member.partition_key, hash_key, member.data.len(), write);
    }
    seal(vec![aggregate.take()]).pop().unwrap_or_default()
}

/// A stream record while it is being packed.
///
/// The tables of keys and the members lie in any order in the message, as protobuf
/// allows, so that each byte is written where it stays.
#[derive(Debug)]
pub struct Aggregate {
    bytes: Vec<u8>,
    last_hash_key: String,
    members: u64,
    hash_keys: u64,
}

impl Default for Aggregate {
    fn default() -> Self {
        Self { bytes: MAGIC.to_vec(), last_hash_key: String::new(), members: 0, hash_keys: 0 }
    }
}

/// A packed stream record without its checksum.
#[derive(Debug)]
pub struct UnsealedRecord(Vec<u8>);

impl Aggregate {
    /// Adds a member, whose data are the `length` bytes that `write` appends.
    pub fn add(
        &mut self,
        partition_key: &str,
        explicit_hash_key: Option<&str>,
        length: usize,
        write: impl FnOnce(&mut Vec<u8>),
    ) {
        let out = &mut self.bytes;
        // Members come one per user, so looking for an equal key would only cost.
        counted(1, partition_key, out);
        if let Some(key) = explicit_hash_key
            && (self.hash_keys == 0 || self.last_hash_key != key)
        {
            counted(2, key, out);
            key.clone_into(&mut self.last_hash_key);
            self.hash_keys += 1;
        }
        let partition_key_index = self.members;
        let hash_key_index = explicit_hash_key.map(|_| self.hash_keys - 1);
        let record_length = key_len(1)
            + encoded_len_varint(partition_key_index)
            + hash_key_index.map_or(0, |index| key_len(2) + encoded_len_varint(index))
            + key_len(3)
            + encoded_len_varint(length as u64)
            + length;
        encode_key(3, WireType::LengthDelimited, out);
        encode_varint(record_length as u64, out);
        encode_key(1, WireType::Varint, out);
        encode_varint(partition_key_index, out);
        if let Some(index) = hash_key_index {
            encode_key(2, WireType::Varint, out);
            encode_varint(index, out);
        }
        encode_key(3, WireType::LengthDelimited, out);
        encode_varint(length as u64, out);
        let end = out.len() + length;
        write(out);
        debug_assert_eq!(out.len(), end, "as long as was said");
        self.members += 1;
    }

    /// Bytes of the stream record so far.
    pub fn bytes(&self) -> usize {
        self.bytes.len() + CHECKSUM_BYTES
    }

    /// Tells whether there is no member.
    pub fn is_empty(&self) -> bool {
        self.members == 0
    }

    /// Returns what was packed and begins again.
    pub fn take(&mut self) -> UnsealedRecord {
        let mut next = Vec::with_capacity(self.bytes().min(MAX_AHEAD_BYTES));
        next.extend_from_slice(&MAGIC);
        self.members = 0;
        self.hash_keys = 0;
        UnsealedRecord(mem::replace(&mut self.bytes, next))
    }
}

/// Puts the checksums at the end of stream records; many at once cost less.
pub fn seal(records: Vec<UnsealedRecord>) -> Vec<Vec<u8>> {
    let messages: Vec<&[u8]> = records.iter().map(|record| &record.0[MAGIC.len()..]).collect();
    let checksums = checksums(&messages);
    let sealed = records.into_iter().zip(checksums).map(|(UnsealedRecord(mut bytes), checksum)| {
        bytes.extend_from_slice(&checksum);
        bytes
    });
    sealed.collect()
}

/// Writes a field of text.
fn counted(tag: u32, text: &str, out: &mut Vec<u8>) {
    encode_key(tag, WireType::LengthDelimited, out);
    encode_varint(text.len() as u64, out);
    out.extend_from_slice(text.as_bytes());
}

/// Takes a stream record apart; `None` if it is not aggregated.
pub fn decode(bytes: &Bytes) -> Result<Option<Vec<Member>>, Undecodable> {
    let end = bytes.len().saturating_sub(CHECKSUM_BYTES);
    if !bytes.starts_with(&MAGIC) || end < MAGIC.len() {
        return Ok(None);
    }
    let message = bytes.slice(MAGIC.len()..end);
    if Md5::digest(&message)[..] != bytes[end..] {
        return Ok(None);
    }
    let message = AggregatedRecord::decode(message).map_err(|error| Undecodable(Some(error)))?;
    let (keys, hash_keys) = (&message.partition_key_table, &message.explicit_hash_key_table);
    let members = message.records.iter().map(|record| {
        let partition_key = at(keys, record.partition_key_index)?;
        let explicit_hash_key =
            record.explicit_hash_key_index.map(|index| at(hash_keys, index)).transpose()?;
        Ok(Member { partition_key, explicit_hash_key, data: record.data.clone() })
    });
    members.collect::<Result<_, _>>().map(Some)
}

fn at(table: &[String], index: u64) -> Result<String, Undecodable> {
    let key = usize::try_from(index).ok().and_then(|index| table.get(index));
    // Every member gets a copy, so one long key could become gigabytes.
    key.filter(|key| key.len() <= MAX_KEY_BYTES).cloned().ok_or(Undecodable(None))
}

#[derive(Clone, PartialEq, prost::Message)]
struct AggregatedRecord {
    #[prost(string, repeated, tag = "1")]
    partition_key_table: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    explicit_hash_key_table: Vec<String>,
    #[prost(message, repeated, tag = "3")]
    records: Vec<Record>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Record {
    #[prost(uint64, required, tag = "1")]
    partition_key_index: u64,
    #[prost(uint64, optional, tag = "2")]
    explicit_hash_key_index: Option<u64>,
    #[prost(bytes = "bytes", required, tag = "3")]
    data: Bytes,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn members() -> impl Strategy<Value = Vec<Member>> {
        let member = (".{0,40}", proptest::option::of("[0-9]{1,39}"), any::<Vec<u8>>()).prop_map(
            |(partition_key, explicit_hash_key, data)| Member {
                partition_key,
                explicit_hash_key,
                data: data.into(),
            },
        );
        proptest::collection::vec(member, 0..50)
    }

    proptest! {
        #[test]
        fn what_is_packed_comes_out_again(members in members()) {
            let packed = Bytes::from(encode(&members));

            prop_assert_eq!(decode(&packed).expect("is aggregated"), Some(members));
        }

        #[test]
        fn a_flipped_bit_is_never_read_as_members(
            members in members(), byte in any::<prop::sample::Index>(), bit in 0..8_u8,
        ) {
            let mut packed = encode(&members);
            let byte = byte.index(packed.len());
            packed[byte] ^= 1_u8 << bit;

            prop_assert_eq!(decode(&packed.into()).ok().flatten(), None);
        }

        #[test]
        fn the_overhead_of_a_member_is_bounded(members in members()) {
            let longest_hash_keys = 39 + 4;
            let bound: usize = members
                .iter()
                .map(|m| m.partition_key.len() + m.data.len() + longest_hash_keys)
                .map(|bytes| bytes + MEMBER_OVERHEAD_BYTES)
                .sum();

            prop_assert!(encode(&members).len() <= MAGIC.len() + CHECKSUM_BYTES + bound);
        }
    }

    #[test]
    fn a_message_whose_indices_point_nowhere_is_refused() {
        let message = AggregatedRecord {
            records: vec![Record { partition_key_index: 7, ..Record::default() }],
            ..AggregatedRecord::default()
        };
        let unsealed = UnsealedRecord([MAGIC.to_vec(), message.encode_to_vec()].concat());
        let sealed = seal(vec![unsealed]).remove(0);

        assert!(decode(&sealed.into()).is_err());
    }

    #[test]
    fn bytes_that_only_begin_like_an_aggregated_record_are_not_one() {
        for bytes in [&MAGIC[..], b"\xF3\x89\x9A\xC2junk", b"{}", b""] {
            assert!(decode(&Bytes::copy_from_slice(bytes)).expect("is not aggregated").is_none());
        }
    }
}
