//! Where a deployment's parts are: the names that its stack keeps in a parameter of Systems
//! Manager, so that nobody copies them out of outputs.
//!
//! The one request is signed here: the SDK's crate for that service would be a third of the build
//! of this program.
//! <https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParameter.html>

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, anyhow, bail};
use aws_config::SdkConfig;
use aws_credential_types::provider::ProvideCredentials as _;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use bytes::Bytes;
use contract::names::{is_name, parameter};
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use serde::Deserialize;
use serde_json::json;
use tokio::time::timeout;

use crate::https;
use crate::output::{answer, say};

/// Longest wait for an answer.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Largest answer: a parameter has 8 KB at most (AWS limit), some of it escaped.
const MAX_BODY_BYTES: usize = 64 * 1024;

/// How the service is called where requests are signed.
const SERVICE: &str = "ssm";

/// Tells the names of a deployment, as a shell takes them.
pub(crate) async fn tell(stage: &str) -> anyhow::Result<ExitCode> {
    let config = program::aws::account(program::aws::environment()).await?;
    let names = names(&config, stage).await?;
    for (name, value) in &names {
        say(format_args!("export {name}={}", quoted(value)));
    }
    answer(json!({ "names": names }));
    Ok(ExitCode::SUCCESS)
}

async fn names(config: &SdkConfig, stage: &str) -> anyhow::Result<BTreeMap<String, String>> {
    let name = parameter(stage);
    let region = config.region().map(ToString::to_string).unwrap_or_default();
    let (status, body) = ask(config, &region, json!({ "Name": name }).to_string()).await?;
    if status != StatusCode::OK {
        bail!(refusal(status, &body, &name, &region));
    }
    let answer: Answer = serde_json::from_slice(&body).context("Systems Manager's answer")?;
    let names: BTreeMap<String, String> = serde_json::from_str(&answer.parameter.value)
        .with_context(|| format!("the parameter {name} holds no names"))?;
    match names.keys().find(|name| !is_name(name)) {
        Some(strange) => bail!("the parameter {name} holds {strange:?}, which is no name"),
        None => Ok(names),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    parameter: Parameter,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Parameter {
    value: String,
}

#[derive(Default, Deserialize)]
struct Refusal {
    #[serde(rename = "__type", default)]
    kind: String,
    #[serde(alias = "Message", default)]
    message: String,
}

/// What to say of an answer that is none.
fn refusal(status: StatusCode, body: &[u8], name: &str, region: &str) -> String {
    let Refusal { kind, message } = serde_json::from_slice(body).unwrap_or_default();
    if kind.ends_with("ParameterNotFound") {
        return format!(
            "there is no parameter {name} in {region}: name the stage (--stage), region and \
             account of a deployment"
        );
    }
    format!("reading the parameter {name} in {region}: {} {kind} {message}", status.as_u16())
}

async fn ask(
    config: &SdkConfig,
    region: &str,
    body: String,
) -> anyhow::Result<(StatusCode, Bytes)> {
    let suffix = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    let url = config.endpoint_url().map_or_else(
        || format!("https://{SERVICE}.{region}.{suffix}/"),
        |url| format!("{}/", url.trim_end_matches('/')),
    );
    let request = signed(config, (&url, region), body).await?;
    let answered = timeout(TIMEOUT, async {
        let answer = https::client()?.request(request).await?;
        let (head, body) = answer.into_parts();
        let body = Limited::new(body, MAX_BODY_BYTES).collect().await;
        let body = body.map_err(|error| anyhow!(error.to_string()))?.to_bytes();
        anyhow::Ok((head.status, body))
    });
    answered.await.context("no answer in time").flatten().with_context(|| format!("asking {url}"))
}

async fn signed(
    config: &SdkConfig,
    (url, region): (&str, &str),
    body: String,
) -> anyhow::Result<Request<Full<Bytes>>> {
    const FAILED: &str = "signing a request";
    let provider = config.credentials_provider().context("no AWS credentials")?;
    let identity = provider.provide_credentials().await?.into();
    let headers = [
        ("content-type", "application/x-amz-json-1.1"),
        ("x-amz-target", "AmazonSSM.GetParameter"),
    ];
    let signing = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name(SERVICE)
        .time(SystemTime::now())
        .settings(SigningSettings::default())
        .build()
        .context(FAILED)?
        .into();
    let signable = SignableRequest::new(
        "POST",
        url,
        headers.into_iter(),
        SignableBody::Bytes(body.as_bytes()),
    );
    let (instructions, _) = sign(signable.context(FAILED)?, &signing).context(FAILED)?.into_parts();
    let mut request = Request::post(url);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let mut request = request.body(Full::from(body)).context(FAILED)?;
    instructions.apply_to_request_http1x(&mut request);
    Ok(request)
}

/// A text as a shell takes it, whatever is in it.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_takes_every_value_as_it_is() {
        let value = r#"{"a": "it's $HOME `ls` \" "}"#;

        let said = std::process::Command::new("sh")
            .args(["-c", &format!("export NAME={}; printf %s \"$NAME\"", quoted(value))])
            .output()
            .expect("a shell runs");

        assert_eq!(String::from_utf8_lossy(&said.stdout), value);
    }

    #[test]
    fn who_names_no_deployment_is_told_what_to_name() {
        let not_found = br#"{"__type":"ParameterNotFound"}"#;
        let denied = br#"{"__type":"AccessDeniedException","Message":"no"}"#;

        let told = |body: &[u8]| refusal(StatusCode::BAD_REQUEST, body, "/a/names", "eu-west-1");

        assert!(told(not_found).contains("--stage"), "{}", told(not_found));
        assert!(told(denied).ends_with("400 AccessDeniedException no"), "{}", told(denied));
        assert!(told(b"").contains("/a/names in eu-west-1: 400"), "{}", told(b""));
    }
}
