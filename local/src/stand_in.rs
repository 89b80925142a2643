//! The stand-in for Amazon Bedrock by itself, for processors that run elsewhere.
//!
//! It prints the variable that sends a processor's calls here, then answers until
//! it is told to end. Nothing else of the system runs.

use std::path::Path;
use std::process::ExitCode;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::arguments::Scenarios;
use crate::bedrock::{Behaviour, StandIn};
use crate::front;
use crate::interruption::Interruption;
use crate::run::say;

/// The variable by which every AWS SDK finds another address of this one service.
const ENDPOINT: &str = "AWS_ENDPOINT_URL_BEDROCK_RUNTIME";

/// Answers on `port` of loopback until Ctrl-C; 0 takes a free one.
pub async fn serve(
    port: u16,
    campaigns: Option<&Path>,
    scenarios: &Scenarios,
) -> anyhow::Result<ExitCode> {
    let campaigns = campaigns.map(campaign::load).transpose()?.unwrap_or_default();
    let mut interruption = Interruption::watch()?;
    let listener = front::bind(port).await?;
    let behaviour = Behaviour { campaigns, ..scenarios.behaviour() };
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    let stand_in = StandIn::serve(listener, behaviour, &tasks, &stop)?;
    say(format_args!("{ENDPOINT}=http://{}", stand_in.address));
    interruption.wait().await;
    // A call that is being answered is not waited for: whoever ends this has no use for it.
    stop.cancel();
    Ok(ExitCode::SUCCESS)
}
