//! What a person must know before a version holds: whether the deployment can do what it asks,
//! which campaigns go, and what is asked anew and at which price.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::{Context as _, ensure};
use aws_sdk_dynamodb::Client;
use campaign::Campaign;
use contract::ask::QueueUrls;
use contract::guardrails::Guardrails;
use processor::held::Access;
use quota::ModelQuotas;
use registry::files::Files;
use serde::Serialize;
use serde_json::{Value, json};

use super::changes::Changes;
use super::sample::{Estimate, Sample};
use super::written;
use crate::arguments::{Budgets, DeployedArguments};
use crate::output::say;

/// What changes with a version.
#[derive(Debug)]
pub(super) struct Review {
    changes: Changes,
    /// Campaigns that are not there any more.
    gone: Vec<String>,
    anew: Vec<Anew>,
}

impl Review {
    /// Of files that take the place of others, with these campaigns.
    pub(super) async fn of(
        (before, after): (&Files, &Files),
        campaigns: &[Campaign],
        client: &Client,
        deployed: &DeployedArguments,
    ) -> anyhow::Result<Self> {
        let gone = before.campaigns().filter(|name| after.campaigns().all(|other| other != *name));
        let gone = gone.map(str::to_owned).collect();
        let anew = asked_anew(before, after)?;
        let anew = match deployed.content_table.as_ref().filter(|_| !anew.is_empty()) {
            Some(table) => Anew::estimated(anew, campaigns, client, table).await,
            None => anew.into_iter().map(|campaign| Anew { campaign, estimate: None }).collect(),
        };
        Ok(Self { changes: Changes::between(before, after), gone, anew })
    }

    /// What a person is asked.
    pub(super) fn question(&self, what: &str, table: &str) -> String {
        let without = match &self.gone[..] {
            [] => String::new(),
            gone => format!(", without {}", gone.join(", ")),
        };
        format!("{what}{without}? [{table}]")
    }

    /// The same for a program.
    pub(super) fn to_json(&self) -> Value {
        json!({ "changes": self.changes, "gone": self.gone, "asked_anew": self.anew })
    }
}

impl fmt::Display for Review {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.changes)?;
        for name in &self.gone {
            write!(f, "\n  {name} is no campaign any more: look-ups of it get an error (404)")?;
        }
        for anew in &self.anew {
            write!(f, "\n{anew}")?;
        }
        Ok(())
    }
}

/// A campaign each of whose prompts is asked anew from now on.
#[derive(Debug, Serialize)]
struct Anew {
    campaign: String,
    /// What it may come to, to write all of its contents anew, where that could be found out.
    #[serde(flatten)]
    estimate: Option<Estimate>,
}

impl Anew {
    /// These campaigns, with what they may come to.
    async fn estimated(
        names: Vec<String>,
        campaigns: &[Campaign],
        client: &Client,
        table: &str,
    ) -> Vec<Self> {
        let sample = Sample::take(client, table).await;
        // Nobody is kept from publishing because a guess cannot be made.
        let sample = sample.inspect_err(|error| eprintln!("what it costs is not known: {error:#}"));
        let sample = sample.ok();
        let anew = names.into_iter().map(|campaign| {
            let of = campaigns.iter().find(|each| each.name == campaign);
            let price = of.and_then(|each| each.config.price);
            let estimate = sample.as_ref().map(|sample| sample.estimate(&campaign, price));
            Self { campaign, estimate }
        });
        anew.collect()
    }
}

impl fmt::Display for Anew {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { campaign, estimate } = self;
        write!(f, "  {campaign}: its prompts change, so each is asked anew from now on")?;
        let Some(Estimate { contents, is_exact, most_usd }) = estimate else { return Ok(()) };
        let about = if *is_exact { "" } else { "about " };
        write!(f, ";\n    {about}{contents} contents stay until their users' next event")?;
        match most_usd {
            Some(usd) => write!(
                f,
                "; to write all anew (ops ask --campaign {campaign} --all --regenerate) costs at \
                 most ${usd:.2}, by what they took"
            ),
            None => write!(f, "; the price is unknown: add a [price] to campaign.toml"),
        }
    }
}
/// Campaigns in both whose prompts have other hashes from now on.
fn asked_anew(before: &Files, after: &Files) -> anyhow::Result<Vec<String>> {
    let hashes = |files: &Files| -> anyhow::Result<BTreeMap<String, String>> {
        if files.campaigns().next().is_none() {
            return Ok(BTreeMap::new());
        }
        let folder = written(files)?;
        let all = campaign::load(folder.path())?.into_iter().map(|compiled| {
            let name = &compiled.campaign.name;
            let prompt = files.text(&format!("{name}/prompt.liquid")).unwrap_or_default();
            let brand = files.text("brand.liquid").filter(|_| prompt.contains("render"));
            let all = format!("{prompt}\n{}", brand.unwrap_or_default());
            (name.clone(), compiled.prompt_hash(&all))
        });
        Ok(all.collect())
    };
    let before = hashes(before).unwrap_or_else(|error| {
        eprintln!("What is asked anew cannot be told, for what holds is not in order: {error:#}");
        BTreeMap::new()
    });
    let anew = hashes(after)?
        .into_iter()
        .filter(|(name, hash)| before.get(name).is_some_and(|before| before != hash));
    Ok(anew.map(|(name, _)| name).collect())
}

/// What a deployment may ask for, as far as it was said.
pub(super) struct Deployed<'a> {
    access: Access,
    quotas: Option<&'a ModelQuotas>,
    budgets: Option<Budgets>,
}

impl<'a> Deployed<'a> {
    /// What somebody said.
    pub(super) fn of(arguments: &'a DeployedArguments) -> Self {
        let unsaid = [
            (arguments.queues.is_none(), "models (--queues)"),
            (arguments.guardrails.is_none(), "guardrails (--guardrails)"),
            (arguments.model_quotas.is_none(), "quotas (--model-quotas)"),
            (arguments.budgets.is_none(), "word on budgets (--budgets)"),
        ];
        let unsaid: Vec<&str> =
            unsaid.into_iter().filter_map(|(is_unsaid, what)| is_unsaid.then_some(what)).collect();
        if !unsaid.is_empty() {
            say(format_args!("Not held against the deployment's: {}.", unsaid.join(", ")));
        }
        let models = arguments.queues.as_ref().map(QueueUrls::models);
        let access = Access {
            models: models.map(|models| models.map(str::to_owned).collect()),
            guardrails: arguments.guardrails.clone().map(|Guardrails(known)| known),
            // Every deployment has them.
            has_jobs: true,
        };
        Self { access, quotas: arguments.model_quotas.as_ref(), budgets: arguments.budgets }
    }

    /// Refuses campaigns that ask for anything else, or whose answers never fit into the quota.
    pub(super) fn ensure(&self, campaigns: &[Campaign]) -> anyhow::Result<()> {
        self.access.ensure(campaigns)?;
        for Campaign { name, config, .. } in campaigns {
            ensure!(
                self.budgets != Some(Budgets::Required) || config.budget.is_some(),
                "campaign {name} has no [budget], and this deployment lets none hold without: say \
                 usd_per_day or tokens_per_day there, or --budgets optional here"
            );
        }
        let Some(quotas) = self.quotas else { return Ok(()) };
        for Campaign { name, config, .. } in campaigns {
            let model = &config.model_id;
            let quota = quotas.of(model);
            let quota = quota.with_context(|| format!("campaign {name}: no quota for {model}"))?;
            let wanted = u64::from(config.max_tokens) * u64::from(quota.output_burndown.get());
            let most = quota.tokens_per_minute;
            ensure!(
                wanted < most.get(),
                "campaign {name}: an answer of {} tokens counts {wanted} against the quota of \
                 {model}, which is {most} a minute: it never fits",
                config.max_tokens
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use campaign::Budget;

    use super::*;

    fn files(prompt: &str, ttl_days: u32) -> Files {
        let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("../campaign/tests/campaigns");
        let sample = Files::read(&sample).expect("is read");
        let changed = sample.texts().map(|(path, text)| {
            let text = match path.ends_with("prompt.liquid") {
                true => format!("{text}{prompt}"),
                false => text.replace("ttl_days = 30", &format!("ttl_days = {ttl_days}")),
            };
            (path.to_owned(), text.into())
        });
        let all: serde_json::Map<_, _> = changed.collect();
        Files::from_json(serde_json::Value::Object(all).to_string().as_bytes()).expect("are files")
    }

    #[test]
    fn a_campaign_is_asked_anew_if_its_prompt_changes_and_not_for_a_setting_beside_it() {
        let before = files("", 30);

        let anew = |after: &Files| asked_anew(&before, after).expect("are valid");

        assert_eq!(anew(&files("Be brisk.", 30)), ["new-episode"]);
        assert!(anew(&files("", 7)).is_empty());
        assert!(asked_anew(&Files::default(), &before).expect("are valid").is_empty());
    }

    #[test]
    fn an_answer_that_never_fits_into_the_quota_is_refused() {
        let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("../campaign/tests/campaigns");
        let campaigns = campaign::read(&sample).expect("are valid");
        let most = u64::from(campaigns[0].config.max_tokens);
        let ensure = |quotas: &str| {
            let quotas = quotas.parse().expect("are quotas");
            let access = Access { models: None, guardrails: None, has_jobs: true };
            let budgets = None;
            let deployed = Deployed { access, quotas: Some(&quotas), budgets };
            deployed.ensure(&campaigns).map_err(|error| error.to_string())
        };
        let quota = |tokens: u64| {
            format!(r#"{{"*": {{"tokens_per_minute": {tokens}, "output_burndown": 5}}}}"#)
        };

        assert_eq!(ensure(&quota(most * 5 + 1)), Ok(()));
        let refused = ensure(&quota(most * 5)).expect_err("is refused");
        assert!(refused.contains("it never fits"), "{refused}");
        let refused = ensure(r#"{"other": {"tokens_per_minute": 9}}"#).expect_err("is refused");
        assert!(refused.contains("no quota for"), "{refused}");
    }

    #[test]
    fn a_campaign_without_a_budget_is_refused_where_the_deployment_wants_one() {
        let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("../campaign/tests/campaigns");
        let mut campaigns = campaign::read(&sample).expect("are valid");
        campaigns.iter_mut().for_each(|each| each.config.budget = None);
        let ensure = |budgets, campaigns: &[Campaign]| {
            let access = Access { models: None, guardrails: None, has_jobs: true };
            let deployed = Deployed { access, quotas: None, budgets };
            deployed.ensure(campaigns).map_err(|error| error.to_string())
        };

        assert_eq!(ensure(Some(Budgets::Optional), &campaigns), Ok(()));
        let refused = ensure(Some(Budgets::Required), &campaigns).expect_err("is refused");
        assert!(refused.contains("campaign new-episode has no [budget]"), "{refused}");
        campaigns.iter_mut().for_each(|each| each.config.budget = Some(Budget::Tokens(1)));
        assert_eq!(ensure(Some(Budgets::Required), &campaigns), Ok(()));
    }

    #[test]
    fn what_writing_anew_comes_to_is_told_beside_the_campaign() {
        let estimate = Estimate { contents: 1_200, is_exact: false, most_usd: Some(3.456) };
        let anew = Anew { campaign: "offer".to_owned(), estimate: Some(estimate) };

        let told = anew.to_string();

        assert!(told.contains("about 1200 contents stay"), "{told}");
        assert!(
            told.contains("--campaign offer --all --regenerate) costs at most $3.46"),
            "{told}"
        );
        let json = serde_json::to_value(&anew).expect("is JSON");
        assert_eq!((&json["campaign"], &json["contents"]), (&"offer".into(), &1_200.into()));
    }
}
