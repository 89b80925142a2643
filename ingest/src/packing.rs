//! User records, packed into stream records.
//!
//! Users are spread over a fixed number of buckets by the MD5 of their id, as Kinesis
//! itself spreads partition keys. All users of a bucket share stream records, whose
//! explicit hash key is where the bucket begins. Neither depends on how many shards
//! there are, so a user's records meet on one shard, in order, also while the stream
//! is resharded; and the shard's lanes (Lambda's parallelisation factor) go by the
//! partition key, which is the bucket's name.

use std::mem;
use std::num::NonZeroU16;

use bytes::Bytes;
use contract::aggregation::{self, CHECKSUM_BYTES, MAGIC, MEMBER_OVERHEAD_BYTES, Member};
use md5::{Digest as _, Md5};

/// Size at which a stream record is closed, in bytes. A shard takes 1 MiB a second, and
/// a batch of Lambda 6 MB, so a record should be a small part of either.
pub const MAX_AGGREGATE_BYTES: usize = 256 * 1024;

/// Longest explicit hash key, in digits: that of 2^128.
const MAX_HASH_KEY_BYTES: usize = 39;

/// A record for the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamRecord {
    /// The bucket's name.
    pub partition_key: String,
    /// Where the bucket begins in the stream's hash space.
    pub explicit_hash_key: String,
    /// The user records, aggregated.
    pub data: Vec<u8>,
}

/// Packs the user records of one group.
#[derive(Debug)]
pub struct Packer {
    buckets: Vec<Bucket>,
    packed: Vec<StreamRecord>,
}

#[derive(Debug)]
struct Bucket {
    name: String,
    hash_key: String,
    members: Vec<Member>,
    bytes: usize,
}

impl Packer {
    /// Packs into this number of buckets.
    pub fn new(buckets: NonZeroU16) -> Self {
        // Rounded up, so that a bucket never begins in the shard of the one before it; a
        // single bucket begins at 0 however wide it is.
        let width = (u128::MAX / u128::from(buckets.get())).saturating_add(1);
        let bucket = |n: u16| Bucket {
            name: format!("bucket-{n}"),
            hash_key: (u128::from(n) * width).to_string(),
            members: Vec::new(),
            bytes: 0,
        };
        Self { buckets: (0..buckets.get()).map(bucket).collect(), packed: Vec::new() }
    }

    /// Takes a user record.
    pub fn add(&mut self, user_id: &str, data: Vec<u8>) {
        let place = self.bucket_of(user_id);
        let bucket = &mut self.buckets[place];
        let bytes = user_id.len() + data.len() + MEMBER_OVERHEAD_BYTES;
        if bucket.bytes + bytes > MAX_AGGREGATE_BYTES {
            self.packed.extend(bucket.close());
        }
        bucket.bytes += bytes;
        bucket.members.push(Member {
            partition_key: user_id.to_owned(),
            explicit_hash_key: Some(bucket.hash_key.clone()),
            data: Bytes::from(data),
        });
    }

    /// Returns everything that was taken, each bucket's records in order.
    pub fn take(&mut self) -> Vec<StreamRecord> {
        for bucket in &mut self.buckets {
            self.packed.extend(bucket.close());
        }
        mem::take(&mut self.packed)
    }

    fn bucket_of(&self, user_id: &str) -> usize {
        let hash = u128::from_be_bytes(Md5::digest(user_id).into());
        // The high half is enough for 65,535 buckets, and the product fits.
        ((hash >> 64) * self.buckets.len() as u128 >> 64) as usize
    }
}

impl Bucket {
    fn close(&mut self) -> Option<StreamRecord> {
        self.bytes = MAGIC.len() + CHECKSUM_BYTES + MAX_HASH_KEY_BYTES;
        let members = mem::take(&mut self.members);
        (!members.is_empty()).then(|| StreamRecord {
            partition_key: self.name.clone(),
            explicit_hash_key: self.hash_key.clone(),
            data: aggregation::encode(members),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn packer(buckets: u16) -> Packer {
        Packer::new(NonZeroU16::new(buckets).expect("not zero"))
    }

    fn members(record: &StreamRecord) -> Vec<Member> {
        let data = Bytes::copy_from_slice(&record.data);
        aggregation::decode(&data).expect("decodes").expect("is aggregated")
    }

    #[test]
    fn a_users_records_share_one_hash_key_whatever_comes_beside_them() {
        let mut keys: HashMap<String, String> = HashMap::new();
        let mut packer = packer(64);
        for round in 0..3 {
            for user in (0..1_000).skip(round * 100) {
                packer.add(&format!("user-{user}"), vec![b'x'; 100]);
            }
            for record in packer.take() {
                for member in members(&record) {
                    assert_eq!(member.explicit_hash_key.as_deref(), Some(&*record.explicit_hash_key));
                    let key = keys.entry(member.partition_key).or_insert(record.partition_key.clone());
                    assert_eq!(*key, record.partition_key);
                }
            }
        }
        assert_eq!(keys.len(), 1_000);
    }

    #[test]
    fn buckets_divide_the_hash_space_evenly_and_hold_the_hashes_of_their_users() {
        let mut packer = packer(100);
        let mut users = vec![0; 100];
        for user in 0..20_000 {
            let user_id = format!("user-{user}");
            let bucket = packer.bucket_of(&user_id);
            let start: u128 = packer.buckets[bucket].hash_key.parse().expect("is a number");
            let hash = u128::from_be_bytes(Md5::digest(&user_id).into());
            // The last bits of a boundary may fall to the neighbour.
            assert!(hash >= start - start.min(1 << 64), "{user_id}");
            assert!(hash - start.min(hash) <= u128::MAX / 100 + (1 << 64), "{user_id}");
            users[bucket] += 1;
            packer.add(&user_id, Vec::new());
        }
        assert!(users.iter().all(|users| (120..=280).contains(users)), "{users:?}");
        assert_eq!(packer.take().len(), 100);
    }

    #[test]
    fn stream_records_are_closed_before_they_grow_too_large_and_keep_the_order() {
        let mut packer = packer(1);
        let sizes = [100_000, 100_000, 100_000, 800_000, 10];
        for (n, size) in sizes.into_iter().enumerate() {
            packer.add(&format!("user-{n}"), vec![b'x'; size]);
        }

        let records = packer.take();

        let users = |record| members(record).into_iter().map(|m| m.partition_key).collect::<Vec<_>>();
        let users: Vec<Vec<String>> = records.iter().map(users).collect();
        assert_eq!(users, [vec!["user-0", "user-1"], vec!["user-2"], vec!["user-3"], vec!["user-4"]]);
        assert!(records.iter().filter(|r| r.data.len() > MAX_AGGREGATE_BYTES).count() == 1);
        assert!(packer.take().is_empty());
    }
}
