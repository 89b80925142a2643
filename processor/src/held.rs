//! The campaigns as the processor holds them, and what else holds of them while it works.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use campaign::{CompiledCampaign, InvalidCampaigns};
use registry::current::{Edition, NotLoaded};
use registry::head::Head;

use crate::attributes;

/// Campaigns that were compiled together.
#[derive(Debug)]
pub struct Held {
    /// In the order of their names.
    pub campaigns: Vec<Arc<CompiledCampaign>>,
    /// The attributes that they list.
    pub(crate) attributes: BTreeSet<String>,
}

/// What holds of the campaigns during one invocation.
#[derive(Debug, Default)]
pub(crate) struct Standing {
    /// Number of the publication.
    pub(crate) publication: u64,
    /// Which files; empty where nobody published any.
    pub(crate) version: String,
    head: Head,
}

/// A published campaign asks a model that this deployment has no quota or queue for.
#[derive(Debug, thiserror::Error)]
#[error("campaign {campaign} asks {model_id}, which is deployed for none: deploy with it first")]
struct UnknownModel {
    campaign: String,
    model_id: String,
}

impl Held {
    /// These campaigns.
    pub fn of(campaigns: Vec<Arc<CompiledCampaign>>) -> Self {
        let attributes = attributes::wanted(&campaigns);
        Self { campaigns, attributes }
    }

    /// Compiles a folder's.
    pub fn read(folder: &Path) -> Result<Self, InvalidCampaigns> {
        campaign::load(folder).map(Self::of)
    }

    /// Compiles a folder's, all of which must ask one of these models.
    pub fn with_models(folder: &Path, models: &BTreeSet<String>) -> Result<Self, NotLoaded> {
        let held = Self::read(folder)?;
        for each in &held.campaigns {
            let (campaign, model_id) = (&each.campaign.name, &each.campaign.config.model_id);
            if !models.contains(model_id) {
                let (campaign, model_id) = (campaign.clone(), model_id.clone());
                return Err(UnknownModel { campaign, model_id }.into());
            }
        }
        Ok(held)
    }
}

impl Standing {
    /// That of an edition.
    pub(crate) fn of(edition: &Edition<Held>) -> Self {
        let Edition { version, publication, head, .. } = edition;
        let version = version.as_str().to_owned();
        Self { publication: *publication, version, head: head.clone() }
    }

    /// Tells whether nothing is to be generated for a campaign.
    pub(crate) fn is_paused(&self, campaign: &str) -> bool {
        self.head.is_paused(campaign)
    }
}
