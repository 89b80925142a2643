//! Jobs on Bedrock, and their files in S3.

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_bedrock::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_bedrock::types::{
    ModelInvocationJobInputDataConfig, ModelInvocationJobOutputDataConfig,
    ModelInvocationJobS3InputDataConfig, ModelInvocationJobS3OutputDataConfig,
    ModelInvocationJobStatus, ModelInvocationType, S3InputFormat,
};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use aws_smithy_types::timeout::TimeoutConfig;
use program::aws::CallError;

use super::{JobError, JobService, JobState, Lines, Submission};

/// Most names of one request (AWS limit).
const MAX_NAMES: usize = 1_000;

/// Longest that Bedrock works on a job, in hours, the least that it takes: a job whose time is over
/// earlier is stopped.
const TIMEOUT_HOURS: i32 = 24;

/// Longest attempt at a call: a file of a job has some dozens of megabytes.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(30);

/// Bedrock, and the bucket of jobs.
#[derive(Debug, Clone)]
pub struct Bedrock {
    bedrock: aws_sdk_bedrock::Client,
    s3: aws_sdk_s3::Client,
    bucket: String,
    /// As whom Bedrock reads and writes the bucket.
    role_arn: String,
}

impl Bedrock {
    /// Works with these.
    pub fn new(
        bedrock: aws_sdk_bedrock::Client,
        s3: aws_sdk_s3::Client,
        (bucket, role_arn): (String, String),
    ) -> Self {
        Self { bedrock, s3, bucket, role_arn }
    }

    /// Builds the clients from the account's configuration.
    pub fn from_config(config: &aws_config::SdkConfig, place: (String, String)) -> Self {
        let timeouts = TimeoutConfig::builder().operation_attempt_timeout(ATTEMPT_TIMEOUT).build();
        let bedrock = aws_sdk_bedrock::config::Builder::from(config);
        let s3 = aws_sdk_s3::config::Builder::from(config);
        Self::new(
            aws_sdk_bedrock::Client::from_conf(bedrock.timeout_config(timeouts.clone()).build()),
            aws_sdk_s3::Client::from_conf(s3.timeout_config(timeouts).build()),
            place,
        )
    }

    fn uri(&self, name: &str) -> String {
        format!("s3://{}/{name}", self.bucket)
    }
}

#[async_trait]
impl JobService for Bedrock {
    async fn put(&self, name: &str, bytes: Vec<u8>) -> Result<(), JobError> {
        let put = self.s3.put_object().bucket(&self.bucket).key(name).body(ByteStream::from(bytes));
        put.send().await.map(drop).map_err(|error| failed("file was not written", &error))
    }

    async fn open(&self, name: &str) -> Result<Option<Lines>, JobError> {
        match self.s3.get_object().bucket(&self.bucket).key(name).send().await {
            Ok(object) => Ok(Some(Box::new(object.body.into_async_read()))),
            Err(error) if error.as_service_error().is_some_and(|error| error.is_no_such_key()) => {
                Ok(None)
            }
            Err(error) => Err(failed("file was not read", &error)),
        }
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, JobError> {
        let list = self.s3.list_objects_v2().bucket(&self.bucket).prefix(prefix);
        let mut pages = list.into_paginator().send();
        let mut names = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| failed("files were not listed", &error))?;
            names.extend(page.contents.unwrap_or_default().into_iter().filter_map(|file| file.key));
        }
        Ok(names)
    }

    async fn remove(&self, names: &[String]) -> Result<(), JobError> {
        let attempted = "files were not removed";
        for some in names.chunks(MAX_NAMES) {
            let some = some.iter().map(|name| ObjectIdentifier::builder().key(name).build());
            let some: Result<Vec<_>, _> = some.collect();
            let delete =
                some.and_then(|some| Delete::builder().set_objects(Some(some)).quiet(true).build());
            let delete = delete.map_err(|_| JobError::not_built(attempted))?;
            let deleted = self.s3.delete_objects().bucket(&self.bucket).delete(delete).send().await;
            let deleted = deleted.map_err(|error| failed(attempted, &error))?;
            if let Some(error) = deleted.errors().first() {
                let code = error.code().unwrap_or("no code").to_owned();
                let cause = CallError::Refused(code);
                return Err(JobError { attempted, is_refused: false, cause });
            }
        }
        Ok(())
    }

    async fn submit(&self, submission: &Submission<'_>) -> Result<String, JobError> {
        let attempted = "job was not submitted";
        let not_built = |_| JobError::not_built(attempted);
        let input = ModelInvocationJobS3InputDataConfig::builder()
            .s3_input_format(S3InputFormat::Jsonl)
            .s3_uri(self.uri(submission.input))
            .build();
        let output = ModelInvocationJobS3OutputDataConfig::builder()
            .s3_uri(self.uri(submission.output))
            .build();
        let (input, output) = (input.map_err(not_built)?, output.map_err(not_built)?);
        let create = self
            .bedrock
            .create_model_invocation_job()
            .job_name(submission.id)
            // Who submits it once more submits nothing.
            .client_request_token(submission.id)
            .model_id(submission.model_id)
            .role_arn(&self.role_arn)
            .model_invocation_type(ModelInvocationType::Converse)
            .timeout_duration_in_hours(TIMEOUT_HOURS)
            .input_data_config(ModelInvocationJobInputDataConfig::S3InputDataConfig(input))
            .output_data_config(ModelInvocationJobOutputDataConfig::S3OutputDataConfig(output));
        match create.send().await {
            Ok(created) => Ok(created.job_arn),
            // It was submitted, by somebody who did not hear of it.
            Err(error) if error.code() == Some("ConflictException") => {
                let found = self.find(submission.id).await?;
                found.ok_or_else(|| failed(attempted, &error).passing())
            }
            Err(error) => Err(failed(attempted, &error)),
        }
    }

    async fn find(&self, id: &str) -> Result<Option<String>, JobError> {
        let list = self.bedrock.list_model_invocation_jobs().name_contains(id).send().await;
        let list = list.map_err(|error| failed("job was not found", &error))?;
        let found = list.invocation_job_summaries.unwrap_or_default().into_iter();
        Ok(found.filter(|job| job.job_name == id).map(|job| job.job_arn).next())
    }

    async fn state(&self, name: &str) -> Result<JobState, JobError> {
        let got = self.bedrock.get_model_invocation_job().job_identifier(name).send().await;
        let got = got.map_err(|error| failed("job was not looked at", &error))?;
        let (said, status) = (got.message, got.status);
        Ok(match status {
            Some(ModelInvocationJobStatus::Completed) => JobState::Ended { trouble: None },
            Some(
                ended @ (ModelInvocationJobStatus::PartiallyCompleted
                | ModelInvocationJobStatus::Failed
                | ModelInvocationJobStatus::Stopped
                | ModelInvocationJobStatus::Expired),
            ) => {
                let said = said.map_or(String::new(), |said| format!(": {said}"));
                JobState::Ended { trouble: Some(format!("{}{said}", ended.as_str())) }
            }
            Some(ModelInvocationJobStatus::Stopping) => JobState::Stopping,
            _ => JobState::Running,
        })
    }

    async fn stop(&self, name: &str) -> Result<(), JobError> {
        let stop = self.bedrock.stop_model_invocation_job().job_identifier(name).send().await;
        match stop {
            // It has ended meanwhile.
            Err(error) if error.code() == Some("ConflictException") => Ok(()),
            stopped => stopped.map(drop).map_err(|error| failed("job was not stopped", &error)),
        }
    }
}

/// Codes that say no for now.
const PASSING: [&str; 8] = [
    "ThrottlingException",
    "InternalServerException",
    "ServiceUnavailableException",
    "SlowDown",
    "InternalError",
    "ServiceUnavailable",
    "RequestTimeout",
    "KMS.ThrottlingException",
];

fn failed<E: ProvideErrorMetadata, R>(attempted: &'static str, error: &SdkError<E, R>) -> JobError {
    let cause = CallError::from(error);
    let is_refused =
        matches!(&cause, CallError::Refused(code) if !PASSING.contains(&code.as_str()));
    JobError { attempted, is_refused, cause }
}
