//! The queues as the SDK sees them.

use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::ProvideErrorMetadata as _;
use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry, Message,
    MessageSystemAttributeName, QueueAttributeName, SendMessageBatchRequestEntry,
};
use tempfile::TempDir;

use super::*;
use crate::aws::config_for;

struct Bench {
    client: Client,
    queues: Queues,
    urls: QueueUrls,
    notifications: mpsc::UnboundedReceiver<String>,
    stop: CancellationToken,
    folder: TempDir,
}

async fn start() -> Bench {
    let folder = tempfile::tempdir().expect("temporary folder");
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    let (queues, notifications) = serve(folder.path(), true, &tasks, &stop).await.expect("starts");
    let urls = queues.open_asks(&["m/1:0".to_owned()], Duration::from_secs(600)).expect("opens");
    let client = Client::new(&config_for(queues.address()));
    Bench { client, queues, urls, notifications, stop, folder }
}

impl Bench {
    async fn send(&self, body: &str, delay_secs: i32) {
        let send = self.client.send_message().queue_url(&self.urls.later).message_body(body);
        send.delay_seconds(delay_secs).send().await.expect("is sent");
    }

    async fn receive(&self, hide_secs: i32) -> Vec<Message> {
        let receive = self.client.receive_message().queue_url(&self.urls.later);
        let receive = receive
            .max_number_of_messages(10)
            .visibility_timeout(hide_secs)
            .message_system_attribute_names(MessageSystemAttributeName::All);
        receive.send().await.expect("is received").messages.unwrap_or_default()
    }

    /// How many can be received, are under way, and wait for a time.
    async fn figures(&self) -> [i64; 3] {
        let names = [
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
            QueueAttributeName::ApproximateNumberOfMessagesDelayed,
        ];
        let get = self.client.get_queue_attributes().queue_url(&self.urls.later);
        let get = get.set_attribute_names(Some(names.to_vec()));
        let told = get.send().await.expect("is told").attributes.expect("are told");
        names.map(|name| told[&name].parse().expect("is a number"))
    }
}

fn entry(id: &str, body: &str, delay_secs: i32) -> SendMessageBatchRequestEntry {
    let entry = SendMessageBatchRequestEntry::builder().id(id).message_body(body);
    entry.delay_seconds(delay_secs).build().expect("is whole")
}

fn handles(messages: &[Message]) -> Vec<String> {
    messages.iter().filter_map(|message| message.receipt_handle.clone()).collect()
}

#[tokio::test]
async fn a_message_is_sent_received_put_back_and_deleted() {
    let bench = start().await;
    bench.send("a", 0).await;
    bench.send("b", 900).await;
    assert_eq!(bench.figures().await, [1, 0, 1]);

    let received = bench.receive(60).await;
    assert_eq!(received.len(), 1);
    assert_eq!(received[0].body(), Some("a"));
    assert_eq!(received[0].md5_of_body(), Some("0cc175b9c0f1b6a831c399e269772661"));
    let attributes = received[0].attributes.as_ref().expect("are told");
    assert_eq!(attributes[&MessageSystemAttributeName::ApproximateReceiveCount], "1");
    assert!(attributes.contains_key(&MessageSystemAttributeName::SentTimestamp));
    assert_eq!(bench.figures().await, [0, 1, 1]);

    let change = bench.client.change_message_visibility().queue_url(&bench.urls.later);
    let change = change.receipt_handle(&handles(&received)[0]).visibility_timeout(0);
    change.send().await.expect("is put back");
    let again = bench.receive(60).await;
    let attributes = again[0].attributes.as_ref().expect("are told");
    assert_eq!(attributes[&MessageSystemAttributeName::ApproximateReceiveCount], "2");

    for (handle, left) in [(&received, 2), (&again, 1), (&again, 1)] {
        let delete = bench.client.delete_message().queue_url(&bench.urls.later);
        let delete = delete.receipt_handle(&handles(handle)[0]).send().await;
        delete.expect("succeeds, whether or not anything is deleted");
        assert_eq!(bench.queues.waits().asks, left);
    }
    bench.stop.cancel();
}

#[tokio::test]
async fn an_entry_that_is_wrong_fails_alone() {
    let bench = start().await;
    let entries = vec![
        entry("good", "a", 900),
        entry("late", "b", 901),
        entry("odd", "c\u{1}", 0),
        entry("early", "d", -1),
    ];
    let send = bench.client.send_message_batch().queue_url(&bench.urls.later);
    let sent = send.set_entries(Some(entries)).send().await.expect("is a batch");

    assert_eq!(sent.successful.iter().map(|each| each.id()).collect::<Vec<_>>(), ["good"]);
    let failed = sent.failed.iter().map(|each| (each.id(), each.code(), each.sender_fault()));
    let failed: Vec<_> = failed.collect();
    assert_eq!(
        failed,
        [
            ("late", "InvalidParameterValue", true),
            ("odd", "InvalidMessageContents", true),
            ("early", "InvalidParameterValue", true),
        ]
    );
    assert_eq!(bench.figures().await, [0, 0, 1]);
    bench.stop.cancel();
}

#[tokio::test]
async fn a_batch_that_sqs_does_not_take_is_refused_as_a_whole() {
    let bench = start().await;
    let refused = async |entries: Vec<SendMessageBatchRequestEntry>| {
        let send = bench.client.send_message_batch().queue_url(&bench.urls.later);
        let refused = send.set_entries(Some(entries)).send().await.expect_err("is refused");
        refused.into_service_error()
    };
    let large = "x".repeat(600_000);
    let eleven = (0..11).map(|id| entry(&id.to_string(), "a", 0)).collect();

    assert!(refused(Vec::new()).await.is_empty_batch_request());
    assert!(refused(eleven).await.is_too_many_entries_in_batch_request());
    let twice = vec![entry("1", "a", 0), entry("1", "b", 0)];
    assert!(refused(twice).await.is_batch_entry_ids_not_distinct());
    assert!(refused(vec![entry("a.b", "a", 0)]).await.is_invalid_batch_entry_id());
    let long = vec![entry("1", &large, 0), entry("2", &large, 0)];
    assert!(refused(long).await.is_batch_request_too_long());
    assert_eq!(bench.figures().await, [0, 0, 0]);
    bench.stop.cancel();
}

#[tokio::test]
async fn batches_delete_and_put_back_each_for_itself() {
    let bench = start().await;
    for body in ["a", "b", "c"] {
        bench.send(body, 0).await;
    }
    let handles = handles(&bench.receive(60).await);
    let delete = |id: &str, handle: &str| {
        let entry = DeleteMessageBatchRequestEntry::builder().id(id).receipt_handle(handle);
        entry.build().expect("is whole")
    };
    let batch = bench.client.delete_message_batch().queue_url(&bench.urls.later);
    let batch = batch.entries(delete("1", &handles[0])).entries(delete("2", "fake"));
    let deleted = batch.send().await.expect("is a batch");
    assert_eq!(deleted.successful[0].id(), "1");
    assert_eq!(deleted.failed[0].code(), "ReceiptHandleIsInvalid");

    let change = |id: &str, handle: &str, secs| {
        let entry = ChangeMessageVisibilityBatchRequestEntry::builder().id(id);
        let entry = entry.receipt_handle(handle).visibility_timeout(secs);
        entry.build().expect("is whole")
    };
    let batch = bench.client.change_message_visibility_batch().queue_url(&bench.urls.later);
    let batch = batch
        .entries(change("1", &handles[0], 0))
        .entries(change("2", &handles[1], 0))
        .entries(change("3", &handles[2], 43_201));
    let changed = batch.send().await.expect("is a batch");
    assert_eq!(changed.successful[0].id(), "2");
    let failed: Vec<_> = changed.failed.iter().map(|each| (each.id(), each.code())).collect();
    assert_eq!(failed, [("1", "InvalidParameterValue"), ("3", "InvalidParameterValue")]);
    assert_eq!(bench.figures().await, [1, 1, 0]);
    bench.stop.cancel();
}

#[tokio::test]
async fn errors_are_those_of_sqs() {
    let bench = start().await;
    let client = &bench.client;
    let nowhere = bench.urls.later.replace("later", "9-high");
    let refused = client.receive_message().queue_url(&nowhere).send().await;
    let refused = refused.expect_err("there is none").into_service_error();
    assert!(refused.is_queue_does_not_exist(), "{refused:?}");

    let receive = || client.receive_message().queue_url(&bench.urls.later);
    for wrong in [
        receive().max_number_of_messages(11),
        receive().max_number_of_messages(0),
        receive().wait_time_seconds(21),
        receive().visibility_timeout(43_201),
    ] {
        let refused = wrong.send().await.expect_err("is refused").into_service_error();
        assert_eq!(refused.code(), Some("InvalidParameterValue"), "{refused:?}");
    }

    let delete = client.delete_message().queue_url(&bench.urls.later).receipt_handle("fake");
    let refused = delete.send().await.expect_err("is no receipt").into_service_error();
    assert!(refused.is_receipt_handle_is_invalid(), "{refused:?}");

    bench.send("a", 0).await;
    let handle = &handles(&bench.receive(0).await)[0];
    let change = client.change_message_visibility().queue_url(&bench.urls.later);
    let change = change.receipt_handle(handle).visibility_timeout(9);
    let refused = change.send().await.expect_err("nobody has it").into_service_error();
    assert!(refused.is_message_not_inflight(), "{refused:?}");

    let send = client.send_message().queue_url(&bench.urls.later).message_body("a");
    let refused = send.message_group_id("g").send().await.expect_err("is not here");
    assert!(refused.into_service_error().is_unsupported_operation());
    bench.stop.cancel();
}

#[tokio::test]
async fn the_other_two_queues_take_messages_and_nothing_else() {
    let mut bench = start().await;
    let send = |url: String, body: &str| {
        bench.client.send_message().queue_url(url).message_body(body).send()
    };
    send(bench.queues.notifications_url(), "n").await.expect("is sent");
    send(bench.queues.dead_letters_url(), "l\n").await.expect("is sent");

    assert_eq!(bench.notifications.recv().await.as_deref(), Some("n"));
    let letters = bench.folder.path().join(contract::local::DEAD_LETTERS_FILE);
    assert_eq!(std::fs::read_to_string(letters).expect("is there"), "l \n");
    let receive = bench.client.receive_message().queue_url(bench.queues.dead_letters_url());
    let refused = receive.send().await.expect_err("is refused").into_service_error();
    assert!(refused.is_unsupported_operation(), "{refused:?}");
    bench.stop.cancel();
}

#[test]
fn each_model_and_class_has_an_address_of_its_own() {
    let address = "127.0.0.1:1".parse().expect("is one");
    let models = ["m/2".to_owned(), "arn:aws:bedrock:::m".to_owned(), "m/2".to_owned()];

    let urls = ask_queue_urls(address, &models);

    assert_eq!(urls.ready.len(), 2);
    assert_eq!(urls.later, "http://127.0.0.1:1/000000000000/asks-later");
    let of_second = &urls.ready["m/2"];
    assert_eq!(path(&of_second.high), "/000000000000/asks-1-high");
    let mut all: Vec<&String> =
        urls.ready.values().flat_map(|each| [&each.high, &each.normal, &each.low]).collect();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 6);
}
