use std::rc::Rc;

use serde_json::{Value, json};

use super::*;

fn shown(text: &str) -> Result<Preview, NotShown> {
    shown_to(&Recipient::new("5f1a"), text).map(|shown| shown.body)
}

fn shown_to(recipient: &Recipient, text: &str) -> Result<Shown, NotShown> {
    let item = |heading: &str| {
        let data = json!({ "M": { "heading": { "S": heading } } });
        ApiAnswer {
            dynamodb: json!({ "Item": { "data": data, "user_id": { "S": "5f1a" } } }),
            plain: json!({ "user_id": "5f1a", "data": { "heading": heading } }),
        }
    };
    let answers = [("new-episode", "Hello"), ("offer", "Now")];
    let answers = answers.map(|(name, heading)| (name.to_owned(), item(heading)));
    let content_blocks = [
        ("footer", "{% if true %}-- {{ name }}{% endif %}"),
        ("broken", "a\n{% if %}"),
        ("one", "1{{content_blocks.${two}}}"),
        ("two", "2\n{{content_blocks.${three}}}"),
        ("three", "3"),
        ("ping", "a{{content_blocks.${pong}}}"),
        ("pong", "b{{content_blocks.${ping}}}"),
    ];
    let content_blocks = content_blocks.map(|(name, text)| (name.to_owned(), text.to_owned()));
    let content_blocks = content_blocks.into();
    let message = Message { text: text.to_owned(), subject: None, content_blocks };
    let calls: Rc<dyn Calls> = Rc::new(AnswersAtHand(answers.into()));
    message.render(recipient, &calls)
}

fn rendered(text: &str) -> String {
    shown(text).unwrap_or_else(|error| panic!("{text}: {error}")).text
}

#[test]
fn a_message_shows_what_the_tag_saved() {
    let message = "{% connected_content https://a/?user_id={{${braze_id}}}&campaign=new-episode :save result -%}\n\
                   <h1>{{result.Item.data.M.heading.S}}</h1>{{result.__http_status_code__}}";

    assert_eq!(rendered(message), "<h1>Hello</h1>200");
}

#[test]
fn the_tag_may_trim_and_save_under_any_name_and_stand_over_several_lines() {
    let message = "<p>\n{%- connected_content https://a/?user_id=1&campaign=offer :basic_auth me\n\
                   :headers { \"X-A\": \"{{${braze_id}}}\" } :cache_max_age 900 :retry :method get :save mine -%}\n\
                   {{mine.Item.data.M.heading.S}}</p>{% if mine %}!{% endif %}";

    assert_eq!(rendered(message), "<p>Now</p>!");
}

#[test]
fn several_campaigns_stand_under_their_names() {
    let message = "{% connected_content https://a/?user_id={{${braze_id}}}&campaign=new-episode,offer :save r %}\
                   {{r.Items.new-episode.data.M.heading.S}} {{r.Items.offer.data.M.heading.S}}";

    assert_eq!(rendered(message), "Hello Now");
}

#[test]
fn a_format_and_a_campaign_that_is_not_there_are_answered_as_the_api_does() {
    let plain = "{% connected_content https://a/?user_id=1&campaign=offer&format=plain :save r %}\
                 {{r.data.heading}}\
                 {% connected_content https://a/?user_id=1&campaign=offer,new-episode&format=plain :save s %}\
                 {{s.contents.new-episode.data.heading}}";
    let misspelt = "{% connected_content https://a/?user_id=1&campaign=ofer :save r %}{{r.Item}}";

    assert_eq!(rendered(plain), "NowHello");
    let told = shown(misspelt).expect("renders").faults;
    assert!(told.iter().any(|fault| fault.reason.contains("did you mean offer?")), "{told:?}");
}

#[test]
fn attributes_that_are_said_are_there() {
    let attributes = json!({ "first_name": "Ada", "custom_attribute": { "pet": "cat" } });
    let Value::Object(attributes) = attributes else { panic!("is an object") };
    let recipient = Recipient { user_id: "5f1a".to_owned(), attributes };

    let text = "{{${first_name} | default: 'you'}} {{custom_attribute.${pet}}} {{${city}}}";
    let shown = shown_to(&recipient, text).expect("renders").body;

    assert_eq!(shown.text, "Ada cat ");
    assert_eq!(shown.missing.iter().collect::<Vec<_>>(), ["${city}"]);
}

#[test]
fn a_subject_line_in_a_comment_is_rendered_by_itself_and_comments_are_not() {
    let text = "{% connected_content https://a/?user_id=5f1a&campaign=offer :basic_auth c :save r %}\n\
                <!-- Subject line: {{r.Item.data.M.heading.S | upcase}} for {{${first_name} | default: 'you'}} -->\
                <p><!-- {{ nothing.here }} -->b</p>";

    let shown = shown_to(&Recipient::new("5f1a"), text).expect("renders");

    assert_eq!(shown.subject.map(|subject| subject.text).as_deref(), Some("NOW for you"));
    assert_eq!(shown.body.text.trim(), "<p>b</p>");
    assert!(shown.body.faults.is_empty(), "{:?}", shown.body.faults);
}

#[test]
fn what_is_not_called_here_is_nothing_and_is_told() {
    let message = "{% connected_content https://weather.example/ :save w %}[{{w.sky}}]{% if w == nil %}?{% endif %}";

    let shown = shown(message).expect("renders");

    assert_eq!(shown.text, "[]?");
    assert!(shown.faults.iter().any(|fault| fault.reason.contains("weather.example")), "{shown:?}");
}

#[test]
fn what_braze_does_at_send_time_only_is_nothing_and_is_told() {
    let shown =
        shown("{% catalog_items shows {{id}} %}[{{items[0].name}}]{% promotion('spring') %}");
    let shown = shown.expect("renders");

    assert_eq!(shown.text, "[]");
    let told = |what: &str| shown.faults.iter().any(|fault| fault.reason.contains(what));
    assert!(told("catalog_items shows") && told("promotion ('spring')"), "{shown:?}");
}

#[test]
fn what_only_braze_knows_is_missing_and_told() {
    let message = "{{${first_name} | default: 'you'}}{{ ${last_name} | upcase }} {{${braze_id}}} \
                   {{custom_attribute.${favourite show}}}{{custom_attribute.${pets}[0].name}}";

    let shown = shown(message).expect("renders");

    assert_eq!(shown.text, "you 5f1a ");
    let missing = ["custom_attribute.${favourite show}", "custom_attribute.${pets}[0].name"];
    for name in ["${first_name}", "${last_name}"].into_iter().chain(missing) {
        assert!(shown.missing.iter().any(|missing| missing == name), "{name}: {shown:?}");
    }
}

#[test]
fn a_message_that_is_not_to_be_sent_says_why() {
    let aborted = shown("{% if result == nil %}{% abort_message('no content') %}{% endif %}a");

    let reason = aborted.expect_err("is not sent").to_string();
    assert_eq!(reason, "the message would not be sent: no content");
}

#[test]
fn extras_are_kept_and_the_first_of_a_key_counts() {
    let message = "{% assign v = 'a' %}{% message_extras :key variant :value {{v}} %}\
                   {% message_extras :key variant :value b %}x";

    let shown = shown(message).expect("renders");

    assert_eq!(shown.text, "x");
    assert_eq!(shown.extras, [("variant".to_owned(), "a".to_owned())]);
}

#[test]
fn a_content_block_is_a_file_and_sees_the_variables() {
    let message = "{% assign name = 'Brand' %}Hi {{content_blocks.${footer}}}";

    assert_eq!(rendered(message), "Hi -- Brand");
    assert_eq!(rendered("{{ content_blocks.${footer} | id: 'cb1' }}"), "-- ");
    let broken = shown("\n{{content_blocks.${broken}}}").expect_err("is broken").to_string();
    assert!(broken.contains("line 2: content block broken:2: "), "{broken}");
    let absent = shown("{{content_blocks.${header}}}").expect_err("is not there").to_string();
    assert!(absent.contains("content block header, which is not there"), "{absent}");
}

#[test]
fn what_braze_would_not_take_is_told() {
    for (message, reason) in [
        ("{% connected_content https://a/ :sav r %}", "no option :sav: did you mean :save?"),
        (
            "{% connected_content https://a/ :save %}",
            "the option :save of connected_content needs a value",
        ),
        ("{% connected_content https://a/ :method put %}", "no method put: get or post"),
        ("{% connected_content :save r %}", "calls no address"),
        ("{% message_extras variant=a %}", "is written :key name :value text"),
        ("{% abort_message 'why' %}", "abort_message('the reason')"),
        ("{% connectd_content https://a/ %}", "did you mean connected_content?"),
    ] {
        let said = shown(message).expect_err(message).to_string();
        assert!(said.contains(reason), "{message}: {said}");
    }
}

fn told(text: &str) -> String {
    let faults = shown(text).unwrap_or_else(|error| panic!("{text}: {error}")).faults;
    faults.iter().map(|fault| format!("{}: {}\n", fault.line, fault.reason)).collect()
}

#[test]
fn a_call_that_the_api_would_refuse_is_told_with_what_would_be_right() {
    let right = "\n{% connected_content https://a/?user_id={{${braze_id}}}&campaign=offer \
                 :basic_auth c :save r %}{{r.Item.data.M.heading.S}}";
    assert_eq!(told(right), "");
    assert_eq!(told(&right.replace(":basic_auth c", ":auth_credentials c")), "");
    assert_eq!(told(&right.replace(":basic_auth c", ":headers { \"A\": \"b\" }")), "");
    assert_eq!(told(&right.replace(":basic_auth c", ":basic_auth c :method GET")), "");

    for (from, to, expected) in [
        (
            "https:",
            "http:",
            "2: connected_content calls by http://, with the credentials in the clear",
        ),
        (":basic_auth c", "", "2: connected_content gives no credentials, and the api answers 401"),
        (
            "${braze_id}",
            "${user_id}",
            "2: connected_content asks for no user, since user_id is empty",
        ),
        (
            "{{${braze_id}}}",
            "5f1b",
            "2: connected_content asks for another user than the one who gets",
        ),
        (
            ":basic_auth",
            ":method post :basic_auth",
            "2: connected_content calls with POST, and the api answers 405",
        ),
        ("&campaign", "&amp;campaign", "2: connected_content has &amp; in the address"),
        ("=offer", "=ofer", "2: there is no campaign \"ofer\""),
    ] {
        let said = told(&right.replace(from, to));
        assert!(said.contains(expected), "{to}: {said}");
    }
    let weather = "{% connected_content http://weather.example/ :save w %}";
    assert!(!told(weather).contains("credentials"), "{}", told(weather));
}

#[test]
fn content_blocks_that_braze_leaves_out_are_told() {
    let shown = shown("{{content_blocks.${one}}}").expect("renders");
    assert_eq!(shown.text, "12\n");
    assert!(
        told("\n{{content_blocks.${one}}}").contains(
            "2: content block one:1: content block two:2: the content block three is left out: \
             it stands too deep (one > two > three)"
        ),
        "{}",
        told("\n{{content_blocks.${one}}}")
    );
    assert!(
        told("{{content_blocks.${ping}}}")
            .contains("the content block ping shows itself (ping > pong > ping): remove it"),
        "{}",
        told("{{content_blocks.${ping}}}")
    );
}

#[test]
fn extras_that_braze_would_cut_or_that_are_empty_are_told() {
    let extra = |value: &str| format!("{{% message_extras :key score :value {value} %}}");

    assert!(!told(&extra("{{ 'a' }}")).contains("extra"));
    let missing = told(&extra("{{ result.score }}"));
    assert!(
        missing.contains("the message extra score is empty: {{ result.score }} prints nothing"),
        "{missing}"
    );
    let long = told(&extra(&"x".repeat(996)));
    assert!(long.contains("0: message_extras come to 1001 bytes of keys and values"), "{long}");
    assert!(!told(&extra(&"x".repeat(995))).contains("come to"));
}

#[test]
fn a_name_that_is_a_slip_of_the_hand_is_told_once_wherever_it_stands() {
    let call = "{% connected_content https://a/?user_id={{${braze_id}}}&campaign=offer \
                :basic_auth c :save result %}\n";
    let of = |text: &str| told(&format!("{call}{text}"));

    for (text, expected) in [
        ("{{reslt.Item.data.M.heading.S}}", "2: there is no reslt: did you mean result?\n"),
        (
            "{{result.Item.data.M.headng.S}}",
            "2: result.Item.data.M has no headng: did you mean heading?\n",
        ),
        (
            "\n{% for x in result.Item.data.M.headings %}{% endfor %}",
            "3: result.Item.data.M has no headings: did you mean heading?\n",
        ),
        ("{% if reslt %}a{% endif %}", "2: there is no reslt: did you mean result?\n"),
        (
            "{{result.Item.data.heading}}",
            "2: {{result.Item.data.heading}} prints nothing: result.Item.data has no heading (there is M)\n",
        ),
        ("{% if result.Item.source.S == 'fallback' %}a{% endif %}", ""),
        (
            "{{first_name | default: 'you'}}",
            "2: there is no first_name: did you mean ${first_name}?\n",
        ),
        (
            "{{custom_attribute.pet}}",
            "2: there is no custom_attribute: did you mean custom_attribute.${pet}?\n",
        ),
        ("{{custom_attribute.${pet} | default: 'cat'}}", ""),
        ("{% assign data = answer.Item.data.M %}", "2: there is no answer (there is result)\n"),
        ("{{colour | default: 'red'}}{% if colour %}a{% endif %}", ""),
    ] {
        assert_eq!(of(text), expected, "{text}");
    }
}

#[test]
fn a_message_that_asks_for_no_content_is_told() {
    for text in ["", "<p>Hello</p>", "<!-- {% connected_content https://a/ %} -->"] {
        assert!(told(text).contains("0: shows nothing of any content"), "{text}");
    }
}

#[test]
fn what_is_said_of_a_subject_line_in_a_comment_names_its_line_in_the_message() {
    let call = "{% connected_content\nhttps://a/?user_id={{${braze_id}}}&campaign=offer :basic_auth me :save r %}";
    for (text, line) in [
        ("\n\n<!-- subject line: {{ absent }} -->".to_owned(), 3),
        (format!("\n{call}\r\n<!-- subject:\r\n{{{{ absent }}}} -->"), 5),
        (format!("<!-- a\n -->\n<!-- subject: {{{{ absent }}}}\n-->\n{call}"), 3),
        (format!("\n<!-- subject: {call}\n{{{{ absent }}}} -->"), 4),
    ] {
        let shown = shown_to(&Recipient::new("5f1a"), &text).expect("renders");
        let subject = shown.subject.expect("is there");
        let lines: Vec<usize> = subject.faults.iter().map(|fault| fault.line).collect();
        assert_eq!(lines, [line], "{text:?}: {:?}", subject.faults);
    }
}

#[test]
fn what_is_said_of_a_part_of_a_tag_names_the_line_of_the_message() {
    for (text, line) in [
        (
            "\n\n{% connected_content https://a/?user_id={{${braze_id}}}&campaign={{absent}}offer :basic_auth me %}",
            3,
        ),
        ("\n\n\n{% message_extras :key a :value {{absent}} %}", 4),
        ("\n{% liquid\nassign a = 1\necho absent\n%}", 4),
    ] {
        let faults = shown(text).expect("renders").faults;
        // What no line is wrong with has none.
        let mut lines: Vec<usize> = faults.iter().map(|fault| fault.line).collect();
        lines.retain(|line| *line > 0);
        lines.dedup();
        assert_eq!(lines, [line], "{text:?}: {faults:?}");
    }
    let wrong = shown("\n{% liquid\nassign a = 1\nbad b\n%}").expect_err("is wrong");
    assert!(wrong.to_string().starts_with("line 4: unknown tag bad"), "{wrong}");
}
