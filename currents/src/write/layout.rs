//! Where Currents puts its files.
//!
//! The names hold literal `+`, and readers must depend on neither the folders
//! nor the names; they are here so that what is generated looks real.

use time::OffsetDateTime;
use time::macros::format_description;

/// Cluster, integration and environment in generated keys.
const CLUSTER: &str = "prod-01";
const INTEGRATION: &str = "69cadaaed2d51b7c75b1a3e5";
const ENVIRONMENT: &str = "us-01";

/// Key of a file, below any prefix of the bucket.
///
/// `time` is that of the first event, in UNIX seconds; `version` is the export's; `offset`
/// makes the name unique within its event type.
pub fn key(event_type: &str, time: i64, version: u32, offset: u64) -> String {
    let integration = format!("dataexport.{CLUSTER}.S3.integration.{INTEGRATION}");
    let hour = format_description!("[year]-[month]-[day]-[hour]");
    let date = OffsetDateTime::from_unix_timestamp(time).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let date = date.format(&hour).unwrap_or_default();
    format!(
        "{integration}/event_type={event_type}/date={date}/version={version}/{ENVIRONMENT}/\
         {integration}+0+{offset}.avro"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_looks_like_one_of_currents() {
        assert_eq!(
            key("users.messages.pushnotification.Send", 1_743_526_800, 10, 123_456),
            "dataexport.prod-01.S3.integration.69cadaaed2d51b7c75b1a3e5/\
             event_type=users.messages.pushnotification.Send/date=2025-04-01-17/version=10/us-01/\
             dataexport.prod-01.S3.integration.69cadaaed2d51b7c75b1a3e5+0+123456.avro"
        );
    }
}
