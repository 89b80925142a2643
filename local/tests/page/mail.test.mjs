// What a person does with a user's mail, in a browser; `local/tests/it/page.rs` starts what it
// shows.

import assert from "node:assert/strict";
import { test } from "node:test";
import { launch } from "./browser.mjs";
import { audit, choose, find, given, json, lookUp, open, openBox, type } from "./steps.mjs";

const STAND_IN = "the stand-in for Bedrock (no model: made-up text), in place of us.anthropic";

test("a user's mail", async (t) => {
  const browser = await launch();
  t.after(() => browser.close());
  const page = await open(browser, given.busy);
  const frame = page.frameLocator("iframe.mail");
  const alert = page.getByRole("alert");
  const text = (selector) => page.locator(selector).textContent();
  const isOld = () => page.locator(".picture").evaluate((picture) => picture.classList.contains("old"));
  const id = await choose(page, 0);
  const user = (await json(`${given.busy}local/users/${id}`)).campaigns[0];

  await t.test("stands below the table, with its subject line, as a mail program shows it", async () => {
    const { data } = await lookUp(`user_id=${id}&campaign=new-episode&format=plain`);
    const { subject } = (await json(`${given.busy}local/users`)).users[0];
    assert.match(subject, /^\[stand-in\] /);
    assert.equal(await text(".subject"), subject);
    assert.equal(await text("#users tr:has([aria-current]) td.strong"), subject);
    assert.equal(await frame.locator("h1").innerHTML(), data.heading);
    const heading = await frame.locator("h1").textContent();
    assert.ok((await text(".snippet")).startsWith(`${heading} `), await text(".snippet"));
    assert.match(await text(".byline"), new RegExp(`^Written by ${STAND_IN.replace(/[()]/g, "\\$&")}`));
    const isAbove = await page.evaluate(() => document.querySelector(".subject").getBoundingClientRect().bottom <= document.querySelector("iframe").getBoundingClientRect().top);
    assert.ok(isAbove, "the subject line is a heading above the mail");
  });

  await t.test("says why: which event, what the condition saw, who wrote it, until when", async () => {
    const why = await page.locator(".why dl").evaluate((list) => Object.fromEntries([...list.querySelectorAll("dt")].map((name) => [name.textContent, name.nextElementSibling.textContent])));
    const event = user.events.find((each) => each.id === user.item.event_id);
    assert.equal(why.event, "users.behaviors.CustomEvent");
    assert.equal(why.id, event.id);
    assert.ok(why["what is remembered"].includes(`properties.show: ${event.fields.properties.show}`), why["what is remembered"]);
    assert.equal(why.condition, "event.name == \"episode_watched\"");
    assert.equal(why["what it saw"], "event.name is not among the remembered fields, compared with \"episode_watched\"");
    assert.ok(why.by.startsWith(STAND_IN), why.by);
    for (const [name, secs] of [["happened", event.time], ["written", user.item.generated_at], ["served until", user.item.expires_at]]) {
      assert.ok(why[name].includes(String(new Date(secs * 1_000).getFullYear())), `${name}: ${why[name]}`);
    }
  });

  await t.test("is followed by events, prompt and answer, as the api gives it", async () => {
    const answer = await lookUp(`user_id=${id}&campaign=new-episode`);
    assert.equal(answer.Item.source, undefined, "the user has content");
    await page.locator("summary", { hasText: "As Braze gets it" }).click();
    const shown = async (label) => JSON.parse(await page.getByRole("region", { name: label, exact: true }).textContent());
    assert.deepEqual(await shown("The api's answer for new-episode"), answer);
    const plain = await lookUp(`user_id=${id}&campaign=new-episode&format=plain`);
    assert.deepEqual(await shown("Content of new-episode as it is stored"), plain.data);
    const prompt = await page.getByRole("region", { name: "Prompt of new-episode", exact: true }).textContent();
    assert.equal(prompt, user.prompt.text.trim());
    assert.ok(prompt.includes(user.events.at(-1).fields.properties.show), prompt);
    await page.getByText("Prompts are not stored.").waitFor();
    assert.equal(await page.getByRole("region", { name: /^Events/ }).locator("tbody tr").count(), user.events.length);
    const names = await page.locator("[data-campaign] h4").allTextContents();
    assert.deepEqual(names.map((name) => name.split(/[ ,]/)[0]), ["Message", "[stand-in]", "Why", "Events", "Prompt", "Answer"]);
    const models = await page.locator("#user :text('us.anthropic')").allTextContents();
    assert.ok(models.length >= 3 && models.every((said) => said.includes("in place of us.anthropic")), models.join("\n"));
  });

  await t.test("is that of another message, if one is typed", async () => {
    await type(page, "{% connected_content https://x/?user_id={{${braze_id}}} :save mine %}<h2>{{mine.Item.data.M.heading.S | upcase}}</h2>");
    const heading = await frame.locator("h2").textContent();
    assert.ok(heading.length > 5 && heading === heading.toUpperCase(), heading);
    assert.equal(await text(".subject"), "(no subject line)");
  });

  await t.test("is grey and called old beside a new error, and as new again after it", async () => {
    const before = await page.locator("iframe.mail").getAttribute("srcdoc");
    await type(page, "{% if %}never closed");
    await alert.filter({ hasText: "line 1" }).waitFor();
    assert.equal(await isOld(), true);
    assert.equal(await page.locator("iframe.mail").getAttribute("srcdoc"), before);
    const note = page.getByText("from before the error", { exact: true });
    await note.waitFor();
    for (const described of ["iframe.mail", ".subject"]) {
      assert.equal(await page.locator(described).getAttribute("aria-describedby"), await note.getAttribute("id"));
    }
    await page.getByTitle("Message of new-episode as Braze renders it, from before the error").waitFor();
    assert.equal(await page.getByLabel("Message in Liquid").getAttribute("aria-invalid"), "true");
    await type(page, "{% for a in (1..99999999999) %}{% endfor %}");
    await alert.filter({ hasText: "look for a loop" }).waitFor();
    await page.getByRole("button", { name: "Back to the campaign's" }).click();
    await frame.locator("h1").waitFor();
    assert.equal(await text("pre.error"), "");
    assert.equal(await isOld(), false);
    await note.waitFor({ state: "hidden" });
    assert.equal(await page.locator("iframe.mail").getAttribute("aria-describedby"), null);
  });

  await t.test("is old as well when the machine does not answer", async () => {
    await page.route("**/local/render", (route) => route.abort());
    await type(page, "<h2>unheard</h2>");
    await alert.filter({ hasText: "the machine does not answer" }).waitFor();
    assert.equal(await isOld(), true);
    assert.equal(await page.getByLabel("Message in Liquid").getAttribute("aria-invalid"), null);
    await page.unroute("**/local/render");
    page.errors = page.errors.filter((said) => !said.includes("ERR_FAILED"));
  });

  await t.test("is that of the latest message, whatever order the answers come in", async () => {
    for (const [late, isRefused] of [["<h2>late</h2>", false], ["{% late %}", true]]) {
      let letGo = null;
      const gate = new Promise((done) => { letGo = done; });
      await page.route("**/local/render", async (route) => {
        const answer = await route.fetch();
        if (route.request().postDataJSON().message === late) await gate;
        await route.fulfill({ response: answer });
      });
      const lateAnswer = page.waitForResponse((response) => response.request().postData()?.includes("late"));
      await type(page, late);
      await type(page, `<h2>latest, ${isRefused}</h2>`);
      await frame.locator("h2", { hasText: `latest, ${isRefused}` }).waitFor();
      letGo();
      await (await lateAnswer).finished();
      await page.evaluate(() => new Promise((done) => setTimeout(done, 50)));
      assert.equal(await frame.locator("h2").textContent(), `latest, ${isRefused}`);
      assert.equal(await text("pre.error"), "");
      assert.equal(await isOld(), false);
      await page.unroute("**/local/render");
    }
  });

  await t.test("leads from what is said of a line to that line", async () => {
    const box = await openBox(page);
    const chosen = () => box.evaluate((area) => [document.activeElement === area, area.value.slice(area.selectionStart, area.selectionEnd)]);
    // Lines as Windows ends them, empty ones first, a comment that Braze removes, a long tag.
    await type(page, "\r\n\r\n<!-- a\r\nb -->\r\n{% assign a = 1\r\n%}\r\n{{ a | upcse }}\r\n{% bad %}");
    const lines = alert.getByRole("button");
    await lines.first().waitFor();
    assert.deepEqual(await lines.allTextContents(), ["line 7", "line 8"]);
    await lines.last().click();
    assert.deepEqual(await chosen(), [true, "{% bad %}"]);
    await type(page, "\n<p>\n{{ nothing }}</p>\nafter\n");
    await page.getByLabel("What to look at").getByRole("button", { name: "line 3" }).click();
    assert.deepEqual(await chosen(), [true, "{{ nothing }}</p>"]);
  });

  await t.test("that is not to be sent is no error", async () => {
    await type(page, "{% abort_message('<b>no</b> consent') %}");
    await page.getByText("Would not be sent: <b>no</b> consent").waitFor();
    assert.equal(await text("pre.error"), "");
    assert.equal(await page.getByLabel("Message in Liquid").getAttribute("aria-invalid"), null);
    assert.equal(await page.locator("iframe.mail").isVisible(), false);
    assert.equal(await isOld(), false);
    await type(page, "{% abort_message() %}");
    await page.getByText("Would not be sent: the message gives no reason").waitFor();
    await type(page, "<h2>sent</h2>");
    await frame.locator("h2", { hasText: "sent" }).waitFor();
    assert.equal(await page.locator(".verdict").isVisible(), false);
  });

  await t.test("shows what only Braze knows, once it is said, and what is missing", async () => {
    const missing = page.getByLabel("What to look at").getByText("only Braze knows ${first_name}");
    await type(page, "<h2>{{${first_name} | default: 'you'}}</h2>");
    await missing.waitFor();
    const known = page.getByLabel("Attributes, as JSON");
    assert.equal(await known.isVisible(), false);
    await page.getByText("What only Braze knows of the user").click();
    await known.fill("{\"first_name\": \"Ada\"}");
    await page.getByRole("button", { name: "Render" }).click();
    await frame.locator("h2", { hasText: "Ada" }).waitFor();
    assert.equal(await missing.count(), 0);
    for (const [wrong, reason] of [["{", "is no JSON"], ["[1]", "is an object, such as"], ["null", "is an object"]]) {
      await known.fill(wrong);
      await page.getByRole("button", { name: "Render" }).click();
      await alert.filter({ hasText: reason }).waitFor();
      assert.equal(await known.getAttribute("aria-invalid"), "true");
      assert.equal(await isOld(), true);
    }
    await page.getByRole("button", { name: "Back to the campaign's" }).click();
    await frame.locator("h1").waitFor();
    assert.equal(await known.getAttribute("aria-invalid"), null);
  });

  await t.test("is that with fallback content for a user without, with the way to find out why", async () => {
    await find(page, "5f1a-nobody");
    await frame.locator("h1").waitFor();
    const { data, source } = await lookUp("user_id=5f1a-nobody&campaign=new-episode&format=plain");
    assert.equal(source, "fallback");
    assert.equal(await frame.locator("h1").innerHTML(), data.heading);
    assert.equal(await text(".subject"), data.emailTitle);
    await page.getByText("It is the campaign's fallback content").waitFor();
    const command = page.getByRole("region", { name: "Command that says why" });
    assert.equal(await command.textContent(), "make ops ARGS=\"campaigns why 5f1a-nobody --events FILE\"");
    assert.deepEqual(await audit(page), []);
    // What a shell would take for more than a word is not put into a line for one.
    const refused = page.waitForEvent("console", (said) => said.text().includes("status of 400"));
    await find(page, "x\";rm");
    assert.equal(await command.textContent(), "make ops ARGS=\"campaigns why USER --events FILE\"");
    // The api refuses such an id, which the browser says when it likes.
    await refused;
    page.errors = page.errors.filter((said) => !said.includes("status of 400"));
  });

  await t.test("has a section for each campaign, and of each only what there is", async () => {
    const other = await open(browser, given.empty);
    await find(other, "nobody");
    await other.locator("iframe.mail[srcdoc]").nth(1).waitFor();
    assert.deepEqual(await other.locator("#user h3").allTextContents(), ["Campaign new-episode", "Campaign second"]);
    const names = ["Message, as Braze renders it", "New episodes are waiting for you", "Why this message", "Answer"];
    assert.deepEqual(await other.locator("#user h4").allTextContents(), [...names, ...names]);
    assert.deepEqual(await audit(other), []);
    assert.deepEqual(other.errors, []);
    await other.close();
  });

  await t.test("is fallback content again once it has expired", async () => {
    const other = await open(browser, given.hostile);
    await find(other, given.expired);
    await other.getByText("What was written was served until").waitFor();
    await other.getByText("It is the campaign's fallback content").waitFor();
    await other.close();
  });

  await t.test("ran without an error, and asked nobody but this machine", () => {
    assert.deepEqual(page.errors, []);
    assert.deepEqual([...page.hosts], [new URL(given.busy).origin]);
  });
});
