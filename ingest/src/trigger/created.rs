//! Tells of an object as S3 does, for those who announce one in its place: of files that lie
//! there already, or in a bucket that sends no notifications.

use std::fmt::Write as _;

use serde_json::json;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// An object that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreatedObject<'o> {
    /// Its bucket.
    pub bucket: &'o str,
    /// Its key, as it is.
    pub key: &'o str,
    /// Its size in bytes.
    pub bytes: u64,
    /// When it came.
    pub at: OffsetDateTime,
}

impl CreatedObject<'_> {
    /// The notification that S3 sends of it, with all of its fields; `who` says who sends it
    /// in S3's place.
    /// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html>
    pub fn notification(&self, who: &str) -> String {
        let Self { bucket, key, bytes, at } = self;
        let notification = json!({ "Records": [{
            "eventVersion": "2.1",
            "eventSource": "aws:s3",
            "awsRegion": "us-east-1",
            "eventTime": at.format(&Rfc3339).unwrap_or_default(),
            "eventName": "ObjectCreated:Put",
            "userIdentity": { "principalId": who },
            "requestParameters": { "sourceIPAddress": "127.0.0.1" },
            "responseElements": {},
            "s3": {
                "s3SchemaVersion": "1.0",
                "configurationId": who,
                "bucket": {
                    "name": bucket,
                    "ownerIdentity": { "principalId": who },
                    "arn": format!("arn:aws:s3:::{bucket}"),
                },
                "object": { "key": encoded(key), "size": bytes, "sequencer": "0" },
            },
        }] });
        notification.to_string()
    }
}

/// Encodes a key as notifications do: everything but letters, digits and `-_.*/`,
/// with `+` for a space.
fn encoded(key: &str) -> String {
    let mut encoded = String::with_capacity(key.len());
    for byte in key.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'*' | b'/' => {
                encoded.push(char::from(byte));
            }
            b' ' => encoded.push('+'),
            byte => {
                // Writing to a text cannot fail.
                let _ = write!(encoded, "%{byte:02X}");
            }
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::trigger::Notification;

    #[test]
    fn keys_are_encoded_as_in_notifications() {
        assert_eq!(encoded("a b/event_type=x/i+0+1.avro"), "a+b/event_type%3Dx/i%2B0%2B1.avro");
    }

    #[test]
    fn what_is_told_of_an_object_is_read_back() {
        let key = "currents/event_type=a.B/date=2026-01-01-00/i+0+1 é%2B.avro";
        let at = datetime!(2026-01-01 00:00:01.5 UTC);

        let told = CreatedObject { bucket: "b", key, bytes: 3, at }.notification("replay");

        let read = Notification::from_body(&told);
        let [object] = &read.objects[..] else { panic!("{read:?}") };
        assert_eq!((object.bucket.as_str(), object.key.as_str()), ("b", key));
        assert_eq!(object.uploaded_at_ms, Some(1_767_225_601_500));
        assert_eq!((read.ignored, read.refused.len()), (0, 0));
    }
}
