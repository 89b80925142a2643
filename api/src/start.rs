//! From settings to an instance that is ready for its first call.

use registry::current::{Current, NotLoaded};
use registry::settings::RegistrySettings;

use crate::cache::Cache;
use crate::handler::{self, Api};
use crate::settings::Settings;
use crate::table::Table;
use std::sync::Arc;

use program::credentials::Gate;
use program::credentials::managed::ManagedSecrets;
use program::credentials::secrets_manager::SecretsManager;

/// Builds the clients, reads the campaigns and warms up.
pub async fn api(settings: &Settings) -> Result<Api, NotLoaded> {
    let config = program::aws::environment().load().await;
    let RegistrySettings { follow, .. } = settings.registry;
    let registry = settings.registry.open(&config);
    let campaigns =
        Current::new(&settings.campaigns_dir, Box::new(handler::load), registry, follow)?;
    let table = Table::new(&config, settings.content_table.clone());
    let secrets = SecretsManager::new(&config, settings.credentials_secret_arn.clone());
    let gate = Gate::Managed(ManagedSecrets::new(secrets));
    let cache = Cache::new(settings.cache_secs);
    let api = Api::new(table, gate, cache, Arc::new(campaigns), settings.unknown_user);
    api.warm().await;
    Ok(api)
}
