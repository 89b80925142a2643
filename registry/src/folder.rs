//! A folder that somebody edits, as a registry: what it holds now is the version that holds.

use std::path::{Path, PathBuf};

use async_trait::async_trait;

use crate::files::{Files, Version};
use crate::head::{Head, Publication, Unknown};
use crate::{Registry, RegistryError};

/// A folder of campaigns. Its versions have no numbers, for nobody published them.
#[derive(Debug)]
pub struct Folder(pub PathBuf);

#[async_trait]
impl Registry for Folder {
    async fn head(&self) -> Result<Head, RegistryError> {
        let version = Files::read(&self.0)?.version();
        let publication = Publication { number: 0, version, at: 0, unknown: Unknown::new() };
        Ok(Head { publications: vec![publication], ..Head::default() })
    }

    async fn files(&self, _: &Version) -> Result<Files, RegistryError> {
        Ok(Files::read(&self.0)?)
    }

    fn folder(&self) -> Option<&Path> {
        Some(&self.0)
    }
}
