//! What prompts may speak of besides events, as a person's files say it: what Braze knows of
//! users, and catalog items.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use campaign::known_catalogs::KnownCatalogs;
use campaign::message::Message;
use campaign::prompt::NotRendered;
use campaign::{CompiledCampaign, Grounds, Items, Lack, Past, Rendering};
use catalog::file::Format;
use catalog::folder;
use catalog::table::Memory;
use contract::attributes::{Attributes, CUSTOM_PREFIX, PROFILE_UPDATE};
use contract::user_record::UserRecord;
use processor::attributes::{Profile, merged};
use serde_json::{Map, Value};

use crate::output::say;

/// Times that items are fetched for a prompt, as the processor does it.
const MAX_ITEM_ROUNDS: usize = 3;

/// Longest value of an item that is shown whole, in characters.
const SHOWN_CHARS: usize = 100;

/// What is known of users and things.
#[derive(Debug)]
pub(crate) struct Known {
    profiles: BTreeMap<String, Profile>,
    /// What somebody said of the user who is shown.
    said: Attributes,
    catalogs: Memory,
}

/// What a prompt speaks of.
#[derive(Debug)]
pub(crate) struct Ground {
    pub(crate) attributes: Attributes,
    pub(crate) items: Items,
    pub(crate) rendering: Rendering,
}

/// The folder of catalogs that was named, or else the one beside the folder of campaigns.
pub(crate) fn catalogs_dir(named: Option<&Path>, campaigns: &Path) -> Option<PathBuf> {
    named.map(Path::to_owned).or_else(|| folder::beside(campaigns))
}

/// The columns of the catalogs of a folder.
pub(crate) fn columns(folder: Option<&Path>) -> anyhow::Result<KnownCatalogs> {
    let mut known = KnownCatalogs::default();
    for (file, checked) in folder.map_or(Ok(Vec::new()), folder::checked)? {
        match file.format {
            Format::Csv => known.insert_texts(file.name, checked.columns),
            Format::JsonLines => known.insert(file.name, checked.columns),
        }
    }
    Ok(known)
}

/// The catalogs of a folder, as far as a prompt of these campaigns asks for items.
pub(crate) fn catalogs<'c>(
    folder: Option<&Path>,
    mut campaigns: impl Iterator<Item = &'c Arc<CompiledCampaign>>,
) -> anyhow::Result<Memory> {
    match folder.filter(|_| campaigns.any(|each| each.prompt.has_catalogs())) {
        Some(folder) => Ok(folder::in_memory(folder)?),
        None => Ok(Memory::default()),
    }
}

/// Why nothing is asked, for a person; nothing if the model is.
pub(crate) fn lack(rendering: &Rendering) -> Option<String> {
    match rendering {
        Rendering::Asks(_) => None,
        Rendering::Lacks(Lack::Item(key)) => Some(format!(
            "there is no item {key} (on_missing_item = \"skip\"; --catalogs names a folder of catalogs)"
        )),
        Rendering::Lacks(Lack::Parts(parts)) => {
            Some(format!("what it needs is not there: {}", parts.join(", ")))
        }
        Rendering::Lacks(Lack::Blank) | Rendering::Wants(_) => {
            Some("the prompt says nothing, and is never sent".to_owned())
        }
    }
}

impl Known {
    /// What events tell of users' attributes, as far as the campaign keeps them, what is said of
    /// them besides, and catalogs.
    pub(crate) fn of(
        campaign: &CompiledCampaign,
        records: &[UserRecord],
        said: &Map<String, Value>,
        catalogs: Memory,
    ) -> Self {
        let kept = campaign.campaign.config.kept_attributes();
        let wanted: BTreeSet<String> = kept.map(str::to_owned).collect();
        let mut profiles: BTreeMap<String, Profile> = BTreeMap::new();
        for record in records.iter().filter(|record| record.event_type == PROFILE_UPDATE) {
            let events: Vec<_> =
                record.events.iter().map(|event| (PROFILE_UPDATE, event)).collect();
            let profile = profiles.entry(record.user_id.clone()).or_default();
            if let (Some(known), _) = merged(profile, &events, &wanted) {
                profile.known = known;
            }
        }
        Self { profiles, said: flat(said), catalogs }
    }

    /// What a campaign's prompt is about for a user.
    pub(crate) fn ground(
        &self,
        campaign: &CompiledCampaign,
        user_id: &str,
        events: &[Past],
    ) -> Result<Ground, NotRendered> {
        let profile = self.profiles.get(user_id).map(Profile::attributes);
        let mut attributes = profile.unwrap_or_default();
        attributes.extend(self.said.clone());
        let mut items = Items::default();
        for round in 0.. {
            let grounds = Grounds { events, attributes: &attributes, items: &items };
            match campaign.brief(&grounds)? {
                Rendering::Wants(wanted) if round >= MAX_ITEM_ROUNDS => {
                    items.extend(wanted.into_iter().map(|key| (key, None)));
                }
                Rendering::Wants(wanted) => {
                    let wanted: Vec<_> = wanted.into_iter().collect();
                    items.extend(self.catalogs.find(&wanted));
                }
                rendering => return Ok(Ground { attributes, items, rendering }),
            }
        }
        unreachable!("after the last round no item is wanted that could be known")
    }
}

impl Ground {
    /// Shows the attributes that the prompt may see, and the items that it used.
    pub(crate) fn show(&self, campaign: &CompiledCampaign, section: impl Fn(&str)) {
        let listed = &campaign.campaign.config.attributes;
        if !listed.is_empty() {
            section("attributes");
            for name in listed {
                match self.attributes.get(name) {
                    Some(value) => say(format_args!("{name} = {}", cut(value))),
                    None => say(format_args!("{name} is not known (--user-attributes says it)")),
                }
            }
        }
        let Rendering::Asks(brief) = &self.rendering else { return };
        if brief.told.items.is_empty() {
            return;
        }
        section("items");
        for (n, item) in brief.told.items.iter().enumerate() {
            let Some(item) = item else {
                say(format_args!("items[{n}] is in no catalog"));
                continue;
            };
            say(format_args!("items[{n}]"));
            for (name, value) in item.iter() {
                say(format_args!("  {name} = {}", cut(value)));
            }
        }
    }
}

/// Which attributes somebody says of a user though no campaign lists them, and no message shows
/// them: a slip of the hand, most likely.
pub(crate) fn unlisted(
    said: &Map<String, Value>,
    campaigns: &[Arc<CompiledCampaign>],
    folder: &Path,
) -> Option<String> {
    let kept = || campaigns.iter().flat_map(|each| each.campaign.config.kept_attributes());
    let kept: BTreeSet<&str> = kept().collect();
    let folders = campaigns.iter().map(|each| folder.join(&each.campaign.name));
    let messages: Vec<Message> = folders.filter_map(|folder| Message::read(&folder)).collect();
    let is_shown = |name: &str| {
        let own = format!("${{{}}}", name.strip_prefix(CUSTOM_PREFIX).unwrap_or(name));
        messages.iter().any(|message| {
            let templates = [&message.text].into_iter().chain(&message.subject);
            templates.chain(message.content_blocks.values()).any(|text| text.contains(&own))
        })
    };
    let unlisted: Vec<String> = flat(said)
        .into_keys()
        .filter(|name| !kept.contains(name.as_str()) && !is_shown(name))
        .collect();
    let kept = Vec::from_iter(kept).join(", ");
    let kept = if kept.is_empty() { "none".to_owned() } else { kept };
    (!unlisted.is_empty()).then(|| {
        format!(
            "note: --user-attributes says {}, which no campaign lists and no message shows (listed: {kept})",
            unlisted.join(", ")
        )
    })
}

/// Attributes by the names that campaigns list: groups of them are objects, as Braze has them.
fn flat(said: &Map<String, Value>) -> Attributes {
    let mut attributes = Attributes::new();
    for (name, value) in said {
        match value {
            Value::Object(group) if format!("{name}.") == CUSTOM_PREFIX => {
                let group =
                    group.iter().map(|(own, value)| (format!("{CUSTOM_PREFIX}{own}"), value));
                attributes.extend(group.map(|(name, value)| (name, value.clone())));
            }
            value => drop(attributes.insert(name.clone(), value.clone())),
        }
    }
    attributes
}

fn cut(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(SHOWN_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
