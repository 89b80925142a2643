//! The tags that there are, and those that there are not.

/// Tags with a tag that ends them.
pub(crate) const BLOCKS: [&str; 6] = ["if", "unless", "case", "for", "tablerow", "capture"];

/// The tags that end them.
pub(crate) const ENDS: [&str; 6] =
    ["endif", "endunless", "endcase", "endfor", "endtablerow", "endcapture"];

/// Tags without one.
pub(crate) const SIMPLE: [&str; 6] =
    ["assign", "increment", "decrement", "cycle", "break", "continue"];

/// Tags that set a variable.
pub(crate) const SETTING: [&str; 4] = ["assign", "capture", "increment", "decrement"];

/// The tag that sets the items of a catalog.
pub(crate) const CATALOG_ITEMS: &str = "catalog_items";

/// Tags whose arguments are no expressions.
pub(crate) const OWN: [&str; 6] = [
    "connected_content",
    "message_extras",
    "abort_message",
    CATALOG_ITEMS,
    "catalog_selection_items",
    "promotion",
];

/// Tags that stand in a block of these names only.
pub(crate) const INNER: [(&str, &[&str]); 3] =
    [("else", &["if", "unless", "case", "for"]), ("elsif", &["if", "unless"]), ("when", &["case"])];

/// Tags that are known and are not here, with the reason.
pub(crate) const MISSING: [(&str, &str); 7] = [
    ("ifchanged", "compare with a variable"),
    ("include", "Braze has content blocks: {{content_blocks.${name}}}"),
    ("render", "Braze has content blocks: {{content_blocks.${name}}}"),
    ("layout", "Braze has content blocks: {{content_blocks.${name}}}"),
    ("section", "it belongs to Shopify's themes"),
    ("form", "it belongs to Shopify's themes"),
    ("paginate", "it belongs to Shopify's themes"),
];

/// What Braze knows of a user by names of its own, which are written `${name}`.
/// <https://www.braze.com/docs/user_guide/personalization_and_dynamic_content/liquid/supported_personalization_tags>
pub(crate) const OF_BRAZE: [&str; 16] = [
    "braze_id",
    "city",
    "country",
    "date_of_birth",
    "email_address",
    "first_name",
    "gender",
    "language",
    "last_name",
    "last_used_app_date",
    "most_recent_app_version",
    "most_recent_locale",
    "phone_number",
    "random_bucket_number",
    "time_zone",
    "user_id",
];

/// Groups of what Braze knows, which are written `group.${name}`.
pub(crate) const GROUPS_OF_BRAZE: [&str; 4] =
    ["canvas_entry_properties", "context", "custom_attribute", "event_properties"];

/// Names of all tags.
pub(crate) fn tag_names() -> impl Iterator<Item = &'static str> {
    let more = ["else", "elsif", "when", "comment", "raw", "echo", "liquid", "#"];
    BLOCKS.into_iter().chain(SIMPLE).chain(OWN).chain(more)
}
