// What a person does on the page, in a browser; `local/tests/it/page.rs` starts what it shows.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { launch } from "./browser.mjs";
import { audit, choose, find, given, json, lookUp, open, type } from "./steps.mjs";

const digits = (text) => Number(text.replaceAll(",", ""));

/** Lets the machine say something else of itself. */
const change = async (page, said) => {
  await page.unroute("**/local/metrics");
  await page.route("**/local/metrics", async (route) => {
    const answer = await route.fetch();
    await route.fulfill({ response: answer, json: said(await answer.json()) });
  });
};

test("the page", async (t) => {
  const browser = await launch();
  t.after(() => browser.close());
  const page = await open(browser, given.busy);

  await t.test("shows users first, then who was chosen, then the machinery", async () => {
    const ids = await page.locator("main h2").evaluateAll((names) => names.map((name) => name.id));
    assert.deepEqual(ids, ["users-name", "user-name", "flow-name", "asks-name", "charts-name"]);
    const first = (await json(`${given.busy}local/users`)).users[0];
    const cells = await page.locator("#users tr").first().locator("th, td").allTextContents();
    assert.deepEqual(cells.slice(0, 3), [first.user_id, first.subject, "new-episode"]);
    assert.match(cells[3], /\d{4}, \d\d:\d\d:\d\d$/);
  });

  await t.test("says what is awaited while nothing is stored", async () => {
    const empty = await open(browser, given.empty);
    await empty.locator("#no-users", { hasText: "the first Currents files are awaited" }).waitFor();
    assert.equal(await empty.locator("#users-card").isVisible(), false);
    assert.deepEqual(await audit(empty), []);
    const waiting = { objects: 3, records: 0 };
    await change(empty, (metrics) => ({ ...metrics, backlog: waiting, objects: { ...metrics.objects, uploaded: 9, notified: 9 }, drained: false }));
    await empty.locator("#no-users", { hasText: "3 of 9 files are still to be read" }).waitFor();
    await change(empty, (metrics) => ({ ...metrics, backlog: { objects: 0, records: 7 }, drained: false }));
    await empty.locator("#no-users", { hasText: "7 stream records wait" }).waitFor();
    await change(empty, (metrics) => ({ ...metrics, backlog: { objects: 0, records: 0, asks: 5 } }));
    await empty.locator("#no-users", { hasText: "5 asks wait for their content" }).waitFor();
    await change(empty, (metrics) => ({ ...metrics, objects: { ...metrics.objects, uploaded: 9 } }));
    await empty.locator("#no-users", { hasText: "no event asked for content" }).waitFor();
    await empty.close();
  });

  await t.test("says what the run waits for, and speaks only of what is new", async () => {
    const spoken = () => page.locator("#spoken").textContent();
    const wait = (sentences) => change(page, (metrics) => ({ ...metrics, waiting: sentences }));
    await wait(["4 records wait for the model's quota", "<b>1 batch</b> comes again"]);
    await page.locator("#waiting li", { hasText: "4 records wait" }).waitFor();
    assert.deepEqual(await page.locator("#waiting li").allTextContents(), ["4 records wait for the model's quota", "<b>1 batch</b> comes again"]);
    assert.match(await spoken(), /; 4 records wait for the model's quota; /);
    await wait(["3 records wait for the model's quota", "<b>1 batch</b> comes again"]);
    await page.locator("#waiting li", { hasText: "3 records wait" }).waitFor();
    assert.match(await spoken(), /; 4 records wait/);
    await wait([]);
    await page.locator("#waiting").waitFor({ state: "hidden" });
    assert.equal(await spoken(), "all done; serving");
    await page.unroute("**/local/metrics");
  });

  await t.test("shows asks that wait by campaign and by what they wait for", async () => {
    assert.equal(await page.locator("#asks").isVisible(), false);
    const waiting = [
      { campaign: "<b>offer</b>", reason: "due", waits_for: "its time", asks: 1_200, due: 0, next_due_secs: 1_760_054_400 },
      { campaign: "recap", reason: "quota", waits_for: "the model's quota", asks: 3, due: 3, next_due_secs: null },
    ];
    await change(page, (metrics) => ({ ...metrics, backlog: { ...metrics.backlog, asks: 1_203 }, asks: { ...metrics.asks, waiting } }));
    await page.locator("#asks-rows tr").nth(1).waitFor();
    const rows = await page.locator("#asks-rows tr").evaluateAll((all) => all.map((row) => [...row.children].map((cell) => cell.textContent)));
    assert.deepEqual(rows[0].slice(0, 4), ["<b>offer</b>", "its time", "1,200", "0"]);
    assert.match(rows[0][4], /2025, \d\d:\d\d:\d\d$/);
    assert.deepEqual(rows[1], ["recap", "the model's quota", "3", "3", "–"]);
    assert.equal(await page.locator("#flow-asks").textContent(), "1,203");
    assert.equal(await page.locator("#status").textContent(), "all done that can be; serving");
    assert.deepEqual(await audit(page), []);
    await page.unroute("**/local/metrics");
    await page.locator("#asks").waitFor({ state: "hidden" });
  });

  await t.test("marks figures as old while the machine does not answer", async () => {
    const old = () => page.locator(".old").evaluateAll((all) => all.map((each) => each.id));
    assert.deepEqual(await old(), []);
    const errors = page.errors.length;
    await page.route("**/local/metrics", (route) => route.abort());
    await page.locator("#status", { hasText: "no answer from the machine" }).waitFor();
    assert.deepEqual(await old(), ["flow-card", "asks-card", "charts", "counters-card", "bill-card"]);
    for (const note of ["#flow-old", "#charts-old"]) {
      assert.match(await page.locator(note).textContent(), /figures of \d\d:\d\d:\d\d: no answer/);
    }
    assert.match(await page.locator("#spoken").textContent(), /no answer/);
    assert.deepEqual(await audit(page), []);
    await page.unroute("**/local/metrics");
    await page.locator("#status", { hasText: "all done" }).waitFor();
    assert.deepEqual(await old(), []);
    assert.equal(await page.locator("#flow-old").isVisible(), false);
    assert.ok(page.errors.splice(errors).every((said) => said.includes("ERR_FAILED")));
  });

  await t.test("shows the numbers that the machine tells", async () => {
    await page.locator("#status", { hasText: "all done" }).waitFor();
    const metrics = await json(`${given.busy}local/metrics`);
    await page.locator("summary", { hasText: "All counters" }).click();
    assert.ok(metrics.counts.events_read > 0 && metrics.counts.generations > 0);
    for (const [name, n] of Object.entries(metrics.counts)) {
      assert.equal(digits(await page.locator(`#counter-${name}`).textContent()), n, name);
    }
    await page.locator("summary", { hasText: "What AWS would charge" }).click();
    const usd = Object.entries(metrics.usd);
    assert.ok(usd.length > 5 && metrics.usd.DynamoDB > 0);
    for (const [n, [name, each]] of usd.entries()) {
      const shown = await page.locator(`#bill-${n}`).textContent();
      assert.ok(Math.abs(Number(shown.replace("$", "")) - each) <= 0.005, `${name}: ${shown}, not ${each}`);
    }
    const flow = {
      currents: metrics.objects.uploaded, s3: metrics.backlog.objects, ingest: metrics.counts.events_read,
      kinesis: metrics.backlog.records, processor: metrics.events_done, bedrock: metrics.counts.generations,
      asks: metrics.backlog.asks,
      dynamodb: metrics.counts.contents_stored,
    };
    for (const [id, n] of Object.entries(flow)) {
      assert.equal(digits(await page.locator(`#flow-${id}`).textContent()), n, id);
      assert.equal(digits(await page.locator(`#said-${id}`).textContent()), n, id);
    }
    assert.equal(await page.locator("#flow-name-bedrock").textContent(), "Bedrock stand-in");
    assert.equal(await page.locator("#said-name-bedrock").textContent(), "Bedrock stand-in");
    await page.getByText("The stand-in for Bedrock makes these texts up").waitFor();
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
    for (let n = 0; n < 3; n += 1) await lookUp("user_id=nobody");
    await page.waitForFunction((n) => document.getElementById("flow-api").textContent === String(n), before + 3);
  });

  await t.test("is used with the keyboard alone", async () => {
    await page.goto(given.busy);
    await page.locator("#users a").first().waitFor();
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement.className), "skip");
    await page.keyboard.press("Enter");
    assert.equal(await page.evaluate(() => document.activeElement.id), "flow-name");
    await page.locator(".skip").focus();
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement.id), "find-id");
    const id = await page.locator("#users a").last().textContent();
    await page.keyboard.type(id);
    await page.keyboard.press("Enter");
    await page.locator("#user-name", { hasText: id }).waitFor();
    await page.locator("iframe.mail[srcdoc]").waitFor();
    await page.waitForFunction(() => document.activeElement.id === "user-name");
    assert.equal(await page.locator("#users a[aria-current]").textContent(), id);
    const isOn = (tag, text) => page.evaluate(([name, words]) => document.activeElement.localName === name && document.activeElement.textContent.includes(words), [tag, text]);
    const goTo = async (tag, text) => {
      for (let n = 0; n < 20 && !(await isOn(tag, text)); n += 1) await page.keyboard.press("Tab");
      assert.ok(await isOn(tag, text), `${tag} ${text} is reached`);
    };
    await goTo("summary", "Try another message");
    await page.keyboard.press("Enter");
    await goTo("textarea", "");
    await page.keyboard.press("Control+A");
    await page.keyboard.type("<h3>by keyboard</h3>");
    await page.keyboard.press("Control+Enter");
    await page.frameLocator("iframe.mail").locator("h3", { hasText: "by keyboard" }).waitFor();
  });

  await t.test("says so where there is no such user", async () => {
    await find(page, "nobody");
    await page.locator("#user-said", { hasText: "Nothing is stored of this user: the api serves fallback content" }).waitFor();
    await find(page, "no body/at all");
    await page.locator("#user-said", { hasText: "the api refuses such an id" }).waitFor();
    await page.getByRole("alert").filter({ hasText: "user_id holds a blank" }).waitFor();
    assert.ok(page.errors.splice(0).every((error) => error.includes("status of 400")));
  });

  await t.test("ran without an error, and asked nobody but this machine", () => {
    assert.deepEqual(page.errors, []);
    assert.deepEqual([...page.hosts], [new URL(given.busy).origin]);
  });

  for (const [colorScheme, width] of [["light", 1180], ["dark", 1180], ["light", 390], ["dark", 390]]) {
    await t.test(`is accessible and fits, ${colorScheme} and ${width} wide`, async () => {
      const other = await open(browser, given.busy, { colorScheme, viewport: { width, height: 900 } });
      await choose(other, 0);
      await type(other, "{% abort_message('not today') %}");
      await other.getByText("Would not be sent: not today").waitFor();
      assert.deepEqual(await audit(other), []);
      await type(other, "<h1>a</h1>{{${first_name}}}");
      await other.getByText("only Braze knows ${first_name}").waitFor();
      await other.getByText("What only Braze knows of the user").click();
      await type(other, "{% if %}");
      await other.getByRole("alert").filter({ hasText: "has no {% endif %}" }).waitFor();
      assert.deepEqual(await audit(other), []);
      assert.ok(await other.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "nothing sticks out");
      await other.close();
    });
  }

  await t.test("shows the prompt anew when its author saves it, for the user who was chosen", async () => {
    const edited = await open(browser, given.edited);
    await choose(edited, 0);
    const heading = await edited.locator("#user-name").textContent();
    const prompt = edited.getByRole("region", { name: "Prompt of new-episode" });
    const file = `${given.folder}/new-episode/prompt.liquid`;
    const before = readFileSync(file, "utf8");
    assert.doesNotMatch(await prompt.textContent(), /in one breath/);
    writeFileSync(file, `${before}\nSay it in one breath.\n`);
    await prompt.filter({ hasText: "Say it in one breath." }).waitFor();
    await edited.getByText("the content was written from an earlier one").waitFor();
    assert.equal(await edited.locator("#user-name").textContent(), heading);
    // What cannot be compiled changes nothing, until it can.
    writeFileSync(file, `${before}\n{% if %}\n`);
    writeFileSync(file, `${before}\nSay it twice.\n`);
    await prompt.filter({ hasText: "Say it twice." }).waitFor();
    assert.deepEqual(edited.errors, []);
    await edited.close();
  });

  await t.test("takes hostile content for text", async () => {
    const victim = await open(browser, given.hostile);
    for (const id of [given.victim, given.hostileId]) {
      await victim.locator("#users a", { hasText: id }).waitFor();
      await find(victim, id);
      await victim.getByRole("region", { name: /^Events/ }).filter({ hasText: given.hostileText }).waitFor();
      const stored = victim.getByRole("region", { name: "Content of new-episode as it is stored" });
      assert.equal(JSON.parse(await stored.textContent()).heading, given.hostileText);
      assert.equal(await victim.locator("main img, main script, main meta").count(), 0);
    }
    await victim.locator("#users a", { hasText: given.victim }).click();
    await victim.locator("iframe.mail[srcdoc]").waitFor();
    assert.match(await victim.locator(".subject").textContent(), /script&gt;/);
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
