//! Campaigns as data: versions of the whole folder of campaigns, and which of them holds.
//!
//! ```text
//! a folder -> files -> version (a digest)   kept once, never changed      (bucket)
//!                         |
//!   head: publications, pauses, recalls     one item, switched as a whole (table)
//!                         |
//!   current: what a program holds; looks at the head, takes a new version over when it can
//! ```
//!
//! Guarantees: a switch is one conditional write, so that of two people who publish at once the
//! second is told; a program sees one version at a time; a version that it cannot take over
//! changes nothing, but pauses and recalls count all the same.
//!
//! It leaves out what a campaign is: whoever holds campaigns says how they are made of a folder.
//!
//! Read [`head`] first.

pub mod aws;
pub mod current;
pub mod files;
pub mod folder;
pub mod head;
pub mod settings;

use std::fmt::Debug;
use std::path::Path;

use async_trait::async_trait;
use program::aws::CallError;

use files::{Files, NoFiles, Version};
use head::Head;

/// Where versions are kept, and the head.
#[async_trait]
pub trait Registry: Debug + Send + Sync {
    /// Reads the head, as it was when the call began or later.
    async fn head(&self) -> Result<Head, RegistryError>;

    /// Reads a version.
    async fn files(&self, version: &Version) -> Result<Files, RegistryError>;

    /// The folder in which the version that holds lies already, if it does.
    fn folder(&self) -> Option<&Path> {
        None
    }
}

/// Why the registry gave nothing, or took nothing.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The head could not be read or written.
    #[error("head of the campaigns")]
    Head(#[source] CallError),
    /// The head is not what any version of this program writes.
    #[error("head of the campaigns cannot be understood")]
    Unreadable(#[source] serde_json::Error),
    /// A version could not be read or kept.
    #[error("version {version} of the campaigns")]
    Version {
        /// Which one.
        version: Version,
        /// What failed.
        #[source]
        source: CallError,
    },
    /// What is kept under a version is something else.
    #[error("version {version} of the campaigns is damaged")]
    Damaged {
        /// Which one.
        version: Version,
        /// Why, if it is no set of files at all.
        #[source]
        source: Option<NoFiles>,
    },
    /// A folder holds nothing that can be published.
    #[error(transparent)]
    Folder(#[from] NoFiles),
    /// A folder is being saved.
    #[error("the folder changes while it is read")]
    Changing,
    /// There is no room for the files of a version.
    #[error("files of the campaigns could not be written")]
    NotWritten(#[source] std::io::Error),
    /// Somebody else switched in the meantime.
    #[error("somebody else has changed the campaigns in the meantime: look again")]
    Overtaken,
}

impl RegistryError {
    /// Nobody answered in time.
    pub(crate) fn timed_out() -> Self {
        Self::Head(CallError::TimedOut)
    }
}
