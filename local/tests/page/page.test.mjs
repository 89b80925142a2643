// What a person does on the page, in a browser; `local/tests/it/page.rs` starts what it shows.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { test } from "node:test";
import { launch } from "./browser.mjs";

const given = JSON.parse(process.env.PAGE_TEST);
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

const json = async (url, options) => (await fetch(url, options)).json();
const digits = (text) => Number(text.replaceAll(",", ""));

/** Opens the page, and notes what goes wrong and what it asks for. */
const open = async (browser, url, options = {}) => {
  const page = await browser.newPage({ viewport: { width: 1180, height: 900 }, ...options });
  page.errors = [];
  page.hosts = new Set();
  page.on("console", (said) => said.type() === "error" && page.errors.push(said.text()));
  page.on("pageerror", (error) => page.errors.push(error.message));
  page.on("dialog", (dialog) => page.errors.push(`dialog: ${dialog.message()}`));
  page.on("request", (asked) => /^(data|about|blob):/.test(asked.url()) || page.hosts.add(new URL(asked.url()).origin));
  await page.goto(url);
  await page.locator("#users a").first().waitFor();
  return page;
};

const choose = async (page, place) => {
  const link = page.locator("#users a").nth(place);
  const id = await link.textContent();
  await link.click();
  await page.locator("#user-name", { hasText: id }).waitFor();
  await page.locator("iframe.mail[srcdoc]").waitFor();
  return id;
};

const type = async (page, message) => {
  await page.getByLabel("Message in Liquid").fill(message);
  await page.getByRole("button", { name: "Render" }).click();
};

const audit = async (page) => {
  await page.evaluate(axe);
  const found = await page.evaluate(() => axe.run(document, { iframes: false }));
  assert.ok(found.passes.length > 20, "the audit looked at the page");
  return found.violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.target).join(", ")}`);
};

test("the page", async (t) => {
  const browser = await launch();
  t.after(() => browser.close());
  const page = await open(browser, given.busy);

  await t.test("shows the numbers that the machine tells", async () => {
    await page.locator("#status", { hasText: "all done" }).waitFor();
    const metrics = await json(`${given.busy}local/metrics`);
    await page.locator("summary", { hasText: "All counters" }).click();
    assert.ok(metrics.counts.events_read > 0 && metrics.counts.generations > 0);
    for (const [name, n] of Object.entries(metrics.counts)) {
      assert.equal(digits(await page.locator(`#counter-${name}`).textContent()), n, name);
    }
    const flow = {
      currents: metrics.objects.uploaded, s3: metrics.backlog.objects, ingest: metrics.counts.events_read,
      kinesis: metrics.backlog.records, processor: metrics.events_done, bedrock: metrics.counts.generations,
      dynamodb: metrics.counts.contents_stored,
    };
    for (const [id, n] of Object.entries(flow)) {
      assert.equal(digits(await page.locator(`#flow-${id}`).textContent()), n, id);
      assert.equal(digits(await page.locator(`#said-${id}`).textContent()), n, id);
    }
    assert.equal(await page.locator("#throttles-now").textContent(), `${metrics.counts.throttles ?? 0} in all`);
  });

  await t.test("draws every chart from what happened before it was opened", async () => {
    const charts = await page.locator("#charts svg").all();
    assert.equal(charts.length, 6);
    for (const chart of charts) {
      const name = await chart.getAttribute("aria-label");
      const points = await chart.locator(".line").evaluateAll((lines) => lines.map((line) => Number(line.dataset.points)));
      assert.ok(points.length > 0 && points.every((n) => n >= 2), `${name}: ${points}`);
    }
    const moved = async (id) => new Set((await page.locator(`#${id}-chart .line.line-1`).getAttribute("d")).match(/,[\d.]+/g)).size > 1;
    for (const id of ["throughput", "quota", "generations"]) assert.ok(await moved(id), `${id} is not flat`);
  });

  await t.test("follows what happens while it is open", async () => {
    const before = digits(await page.locator("#flow-api").textContent());
    const headers = { authorization: `Basic ${btoa(given.credentials)}` };
    for (let n = 0; n < 3; n += 1) await json(`${given.busy}?user_id=nobody`, { headers });
    await page.waitForFunction((n) => document.getElementById("flow-api").textContent === String(n), before + 3);
  });

  await t.test("shows of a user what the api answers, and the e-mail that Braze makes of it", async () => {
    const id = await choose(page, 0);
    const headers = { authorization: `Basic ${btoa(given.credentials)}` };
    const answer = await json(`${given.busy}?user_id=${id}&campaign=new-episode`, { headers });
    assert.equal(answer.Item.source, undefined, "the user has content");
    await page.locator("summary", { hasText: "As Braze gets it" }).click();
    const shown = async (label) => JSON.parse(await page.getByRole("region", { name: label, exact: true }).textContent());
    assert.deepEqual(await shown("The api's answer"), answer);
    const plain = await json(`${given.busy}?user_id=${id}&campaign=new-episode&format=plain`, { headers });
    assert.deepEqual(await shown("Content as it is stored"), plain.data);
    const heading = await page.frameLocator("iframe.mail").locator("h1").innerHTML();
    assert.equal(heading, plain.data.heading);
    const user = (await json(`${given.busy}local/users/${id}`)).campaigns[0];
    const prompt = await page.getByRole("region", { name: "Prompt", exact: true }).textContent();
    assert.equal(prompt, user.prompt.text.trim());
    assert.ok(prompt.includes(user.events.at(-1).fields.properties.show), prompt);
    await page.getByText("Prompts are not stored.").waitFor();
    assert.equal(await page.getByRole("region", { name: /^Events/ }).locator("tbody tr").count(), user.events.length);
  });

  await t.test("renders a message of one's own, and says what is wrong with it", async () => {
    const mail = page.frameLocator("iframe.mail");
    await type(page, "{% connected_content https://x/?user_id={{${braze_id}}} :save mine %}<h2>{{mine.Item.data.M.heading.S | upcase}}</h2>");
    const heading = await mail.locator("h2").textContent();
    assert.ok(heading.length > 5 && heading === heading.toUpperCase(), heading);
    await type(page, "{% if %}never closed");
    const alert = page.getByRole("alert").filter({ hasText: "line 1" });
    await alert.waitFor();
    assert.equal(await page.getByLabel("Message in Liquid").getAttribute("aria-invalid"), "true");
    await type(page, "{% for a in (1..99999999999) %}{% endfor %}");
    await page.getByRole("alert").filter({ hasText: "look for a loop" }).waitFor();
    await page.getByRole("button", { name: "Back to the campaign's" }).click();
    await mail.locator("h1").waitFor();
    assert.equal(await page.locator("pre.error").textContent(), "");
  });

  await t.test("is used with the keyboard alone", async () => {
    await page.goto(given.busy);
    await page.locator("#users a").first().waitFor();
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement.className), "skip");
    await page.keyboard.press("Enter");
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement.id), "find-id");
    const id = await page.locator("#users a").last().textContent();
    await page.keyboard.type(id);
    await page.keyboard.press("Enter");
    await page.locator("#user-name", { hasText: id }).waitFor();
    await page.locator("iframe.mail[srcdoc]").waitFor();
    await page.waitForFunction(() => document.activeElement.id === "user-name");
    const isOn = (tag) => page.evaluate((name) => document.activeElement.localName === name, tag);
    for (let n = 0; n < 20 && !(await isOn("textarea")); n += 1) await page.keyboard.press("Tab");
    assert.ok(await isOn("textarea"), "the box is reached");
    await page.keyboard.press("Control+A");
    await page.keyboard.type("<h3>by keyboard</h3>");
    await page.keyboard.press("Control+Enter");
    await page.frameLocator("iframe.mail").locator("h3", { hasText: "by keyboard" }).waitFor();
  });

  await t.test("says so where there is no such user", async () => {
    await page.getByLabel("Any user, by Braze id").fill("nobody/at all");
    await page.getByRole("button", { name: "Show" }).click();
    await page.locator("#user-said", { hasText: "Nothing is stored of this user" }).waitFor();
  });

  await t.test("ran without an error, and asked nobody but this machine", () => {
    assert.deepEqual(page.errors, []);
    assert.deepEqual([...page.hosts], [new URL(given.busy).origin]);
  });

  for (const [colorScheme, width] of [["light", 1180], ["dark", 1180], ["light", 390], ["dark", 390]]) {
    await t.test(`is accessible and fits, ${colorScheme} and ${width} wide`, async () => {
      const other = await open(browser, given.busy, { colorScheme, viewport: { width, height: 900 } });
      await choose(other, 0);
      await type(other, "{% if %}");
      await other.getByRole("alert").filter({ hasText: "has no {% endif %}" }).waitFor();
      assert.deepEqual(await audit(other), []);
      assert.ok(await other.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "nothing sticks out");
      await other.close();
    });
  }

  await t.test("takes hostile content for text", async () => {
    const victim = await open(browser, given.hostile);
    for (const id of [given.victim, given.hostileId]) {
      await victim.locator("#users a", { hasText: id }).waitFor();
      await victim.getByLabel("Any user, by Braze id").fill(id);
      await victim.getByRole("button", { name: "Show" }).click();
      await victim.locator("#user-name", { hasText: id }).waitFor();
      await victim.getByRole("region", { name: /^Events/ }).filter({ hasText: given.hostileText }).waitFor();
      const stored = victim.getByRole("region", { name: "Content as it is stored" });
      assert.equal(JSON.parse(await stored.textContent()).heading, given.hostileText);
      assert.equal(await victim.locator("main img, main script, main meta").count(), 0);
    }
    await victim.locator("#users a", { hasText: given.victim }).click();
    await victim.locator("iframe.mail[srcdoc]").waitFor();
    // The e-mail holds the markup as such, and it can do nothing there.
    await victim.frameLocator("iframe.mail").locator("img").first().waitFor({ state: "attached" });
    await victim.evaluate(() => new Promise((done) => setTimeout(done, 0)));
    assert.equal(await victim.evaluate(() => window.hacked), undefined);
    assert.equal(await victim.locator("iframe.mail").getAttribute("sandbox"), "");
    assert.deepEqual([...victim.hosts], [new URL(given.hostile).origin]);
    const refused = /Content Security Policy|sandboxed|status of 400/;
    assert.deepEqual(victim.errors.filter((said) => !refused.test(said)), []);
    assert.ok(victim.errors.some((said) => refused.test(said)), "something was refused");
  });
});
