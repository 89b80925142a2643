//! The registry on AWS: versions in a bucket, the head in the coordination table.

use std::collections::HashMap;

use async_trait::async_trait;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_s3::primitives::ByteStream;
use contract::campaigns::{HEAD, HEAD_KEY, REVISION, version_key};
use contract::content::COORDINATION_KEY;
use program::aws::CallError;

use crate::files::{Files, MAX_BYTES, NoFiles, Version};
use crate::head::Head;
use crate::{Registry, RegistryError};

/// What a refused condition is called.
const CONDITION_FAILED: &str = "ConditionalCheckFailedException";

/// What an object is called that is there already.
const IS_THERE: &str = "PreconditionFailed";

/// Largest object that is read, in bytes: the largest files, with every other character escaped.
const LARGEST_OBJECT_BYTES: i64 = 2 * MAX_BYTES as i64;

/// The registry of a deployment. Clones share their connections.
#[derive(Debug, Clone)]
pub struct Aws {
    /// Reads and writes the head.
    pub dynamodb: aws_sdk_dynamodb::Client,
    /// The coordination table.
    pub table: String,
    /// Reads and writes the versions.
    pub s3: aws_sdk_s3::Client,
    /// Their bucket.
    pub bucket: String,
}

impl Aws {
    /// Keeps files under their version; those that are kept already stay as they are.
    pub async fn keep(&self, files: &Files) -> Result<Version, RegistryError> {
        let version = files.version();
        let put = self.s3.put_object().bucket(&self.bucket).key(version_key(version.as_str()));
        let put = put.if_none_match("*").content_type("application/json");
        match put.body(ByteStream::from(files.to_json())).send().await {
            Ok(_) => Ok(version),
            Err(error) => match CallError::from(&error) {
                CallError::Refused(code) if code == IS_THERE => Ok(version),
                source => Err(RegistryError::Version { version, source }),
            },
        }
    }

    /// Writes a head over the one that it was made from.
    pub async fn switch(&self, head: &Head) -> Result<(), RegistryError> {
        let json = serde_json::to_string(head).map_err(RegistryError::Unreadable)?;
        let number = |n: u64| AttributeValue::N(n.to_string());
        let put = self.dynamodb.put_item().table_name(&self.table);
        let put = put
            .item(COORDINATION_KEY, AttributeValue::S(HEAD_KEY.to_owned()))
            .item(HEAD, AttributeValue::S(json))
            .item(REVISION, number(head.revision));
        let put = match head.revision {
            1 => put.condition_expression("attribute_not_exists(#revision)"),
            revision => put
                .condition_expression("#revision = :before")
                .expression_attribute_values(":before", number(revision - 1)),
        };
        match put.expression_attribute_names("#revision", REVISION).send().await {
            Ok(_) => Ok(()),
            Err(error) => match CallError::from(&error) {
                CallError::Refused(code) if code == CONDITION_FAILED => {
                    Err(RegistryError::Overtaken)
                }
                error => Err(RegistryError::Head(error)),
            },
        }
    }
}

#[async_trait]
impl Registry for Aws {
    async fn head(&self) -> Result<Head, RegistryError> {
        let key =
            HashMap::from([(COORDINATION_KEY.to_owned(), AttributeValue::S(HEAD_KEY.to_owned()))]);
        // Whoever has just switched must see it, and so must who is to obey it.
        let get = self.dynamodb.get_item().table_name(&self.table).consistent_read(true);
        let read = get.set_key(Some(key)).send().await;
        let item = read.map_err(|error| RegistryError::Head(CallError::from(&error)))?.item;
        let Some(AttributeValue::S(json)) = item.as_ref().and_then(|item| item.get(HEAD)) else {
            return Ok(Head::default());
        };
        serde_json::from_str(json).map_err(RegistryError::Unreadable)
    }

    async fn files(&self, version: &Version) -> Result<Files, RegistryError> {
        let failed = |source| RegistryError::Version { version: version.clone(), source };
        let get = self.s3.get_object().bucket(&self.bucket).key(version_key(version.as_str()));
        let object = get.send().await.map_err(|error| failed(CallError::from(&error)))?;
        let damaged = |source| RegistryError::Damaged { version: version.clone(), source };
        if object.content_length().is_some_and(|bytes| bytes > LARGEST_OBJECT_BYTES) {
            return Err(damaged(Some(NoFiles::TooLarge)));
        }
        let bytes = object.body.collect().await.map_err(|_| failed(CallError::Unreadable))?;
        let files = Files::from_json(&bytes.to_vec()).map_err(|error| damaged(Some(error)))?;
        if files.version() != *version {
            return Err(damaged(None));
        }
        Ok(files)
    }
}
