//! Calls of AWS that fail on their way.

use aws_config::SdkConfig;
use aws_smithy_runtime_api::client::http::{HttpConnector as _, HttpConnectorFuture};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;

use super::{Faults, Kind};
use crate::calls;

/// A service of AWS whose calls can fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// Amazon Bedrock.
    Bedrock,
    /// Amazon Kinesis Data Streams.
    Kinesis,
    /// Amazon DynamoDB.
    DynamoDb,
}

impl Faults {
    /// The same configuration, whose calls of `service` fail when a fault strikes.
    pub fn through(&self, config: &SdkConfig, service: Service) -> SdkConfig {
        let faults = self.clone();
        calls::by(config, move |inner, request| match faults.of_a_call(service) {
            None => inner.call(request),
            Some(Fault::Refused(status, code)) => HttpConnectorFuture::ready(refusal(status, code)),
            Some(Fault::AnswerLost) => {
                let call = inner.call(request);
                HttpConnectorFuture::new(async move {
                    call.await?;
                    Err(ConnectorError::timeout("the answer was lost".into()))
                })
            }
        })
    }
}

/// How a call fails.
enum Fault {
    /// With this status and code, before the service sees it.
    Refused(u16, &'static str),
    /// After the service did its part.
    AnswerLost,
}

impl Faults {
    /// The fault that strikes a call of a service, if one does.
    fn of_a_call(&self, service: Service) -> Option<Fault> {
        let strikes = |kind| self.strikes(kind);
        match service {
            Service::Bedrock if strikes(Kind::BedrockThrottle) => {
                Some(Fault::Refused(429, "ThrottlingException"))
            }
            Service::Bedrock if strikes(Kind::BedrockTimeout) => Some(Fault::AnswerLost),
            Service::Bedrock if strikes(Kind::BedrockError) => {
                Some(Fault::Refused(500, "InternalServerException"))
            }
            Service::Kinesis if strikes(Kind::KinesisThrottle) => {
                Some(Fault::Refused(400, "ProvisionedThroughputExceededException"))
            }
            Service::DynamoDb if strikes(Kind::DynamodbError) => {
                let is_lost = self.struck(Kind::DynamodbError).is_multiple_of(2);
                let refused = Fault::Refused(500, "InternalServerError");
                Some(if is_lost { Fault::AnswerLost } else { refused })
            }
            _ => None,
        }
    }
}

/// An answer as the services refuse.
fn refusal(status: u16, code: &'static str) -> Result<HttpResponse, ConnectorError> {
    let status =
        StatusCode::try_from(status).map_err(|error| ConnectorError::other(error.into(), None))?;
    let body = format!(r#"{{"__type":"{code}","message":"a fault that was switched on"}}"#);
    let mut response = HttpResponse::new(status, SdkBody::from(body));
    response.headers_mut().insert("x-amzn-errortype", code);
    Ok(response)
}
