//! The campaigns as the processor holds them, and what else holds of them while it works.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use campaign::{Campaign, CompiledCampaign, InvalidCampaigns};
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

/// What campaigns may ask for.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// Models that have a quota and queues; `None` for any.
    pub models: Option<BTreeSet<String>>,
    /// Guardrails that may be asked; `None` for any.
    pub guardrails: Option<BTreeSet<String>>,
    /// Whether there may be jobs.
    pub has_jobs: bool,
}

/// A published campaign asks for what this deployment has not.
#[derive(Debug, thiserror::Error)]
#[error(
    "campaign {campaign} asks {asked}, which is deployed for none: deploy with it first (a run of local: start it anew)"
)]
pub struct NotDeployed {
    campaign: String,
    asked: String,
}

impl Access {
    /// Refuses campaigns that ask for anything else.
    pub fn ensure<'c>(
        &self,
        campaigns: impl IntoIterator<Item = &'c Campaign>,
    ) -> Result<(), NotDeployed> {
        for Campaign { name, config, .. } in campaigns {
            let refused =
                |asked: &str| Err(NotDeployed { campaign: name.clone(), asked: asked.to_owned() });
            if self.models.as_ref().is_some_and(|known| !known.contains(&config.model_id)) {
                return refused(&config.model_id);
            }
            let guardrail = config.guardrail.as_ref().map(|guardrail| guardrail.id.as_str());
            if let (Some(id), Some(known)) = (guardrail, &self.guardrails)
                && !known.contains(id)
            {
                return refused(&format!("the guardrail {id}"));
            }
            if config.batch_within_hours.is_some() && !self.has_jobs {
                return refused("batch inference ([batch])");
            }
        }
        Ok(())
    }
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

    /// Compiles a folder's, which must ask for nothing else.
    pub fn with_access(folder: &Path, access: &Access) -> Result<Self, NotLoaded> {
        let held = Self::read(folder)?;
        access.ensure(held.campaigns.iter().map(|each| &each.campaign))?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn campaigns_that_ask_what_is_not_deployed_are_refused() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../campaign/tests/campaigns");
        let mut campaigns = campaign::read(&folder).expect("are valid");
        let model = campaigns[0].config.model_id.clone();
        let access = Access {
            models: Some([model].into()),
            guardrails: Some(["g1".to_owned()].into()),
            has_jobs: true,
        };
        let told = |access: &Access, campaigns: &[Campaign]| {
            access.ensure(campaigns).map_err(|refused| refused.to_string())
        };

        assert_eq!(told(&access, &campaigns), Ok(()));
        let nothing = Access { models: Some(BTreeSet::new()), ..access.clone() };
        let none = told(&nothing, &campaigns).expect_err("is refused");
        assert!(none.contains(&campaigns[0].config.model_id), "{none}");
        let guardrail =
            |id: &str| Some(campaign::Guardrail { id: id.to_owned(), version: "1".to_owned() });
        campaigns[0].config.guardrail = guardrail("g1");
        assert_eq!(told(&access, &campaigns), Ok(()));
        campaigns[0].config.guardrail = guardrail("g2");
        let refused = told(&access, &campaigns).expect_err("is refused");
        assert!(refused.contains("the guardrail g2, which is deployed for none"), "{refused}");
        let any = Access { guardrails: None, ..access };
        assert_eq!(told(&any, &campaigns), Ok(()));
        campaigns[0].config.batch_within_hours = Some(6);
        assert_eq!(told(&any, &campaigns), Ok(()));
        let refused = told(&Access { has_jobs: false, ..any }, &campaigns).expect_err("is refused");
        assert!(refused.contains("asks batch inference ([batch])"), "{refused}");
    }
}
