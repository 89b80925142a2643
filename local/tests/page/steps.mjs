// What the tests of the page do alike: open it, choose a user, type a message, audit it.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

/** What `local/tests/it/others/browser.rs` started. */
export const given = JSON.parse(process.env.PAGE_TEST);

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

export const json = async (url, options) => (await fetch(url, options)).json();

/** What the api answers Braze. */
export const lookUp = (query) =>
  json(`${given.busy}?${query}`, { headers: { authorization: `Basic ${btoa(given.credentials)}` } });

/** Opens the page, and notes what goes wrong and what it asks for. */
export const open = async (browser, url, options = {}) => {
  const page = await browser.newPage({ viewport: { width: 1180, height: 900 }, ...options });
  page.errors = [];
  page.hosts = new Set();
  page.on("console", (said) => said.type() === "error" && page.errors.push(said.text()));
  page.on("pageerror", (error) => page.errors.push(error.message));
  page.on("dialog", (dialog) => page.errors.push(`dialog: ${dialog.message()}`));
  page.on("request", (asked) => /^(data|about|blob):/.test(asked.url()) || page.hosts.add(new URL(asked.url()).origin));
  await page.goto(url);
  await page.locator(url === given.empty ? "#status.status:not(:text('connecting'))" : "#users a").first().waitFor();
  return page;
};

/** Chooses a user of the table. */
export const choose = async (page, place) => {
  const link = page.locator("#users a").nth(place);
  const id = await link.textContent();
  await link.click();
  await page.locator("#user-name", { hasText: id }).waitFor();
  await page.locator("iframe.mail[srcdoc]").waitFor();
  return id;
};

/** Looks up a user who need not be in the table. */
export const find = async (page, id) => {
  await page.getByLabel("Any user, by Braze id").fill(id);
  await page.getByRole("button", { name: "Show" }).click();
  await page.locator("#user-name", { hasText: id }).waitFor();
};

/** Opens the box for another message. */
export const openBox = async (page) => {
  const box = page.getByLabel("Message in Liquid");
  if (!(await box.isVisible())) await page.getByText("Try another message").click();
  return box;
};

/** Renders another message. */
export const type = async (page, message) => {
  await (await openBox(page)).fill(message);
  await page.getByRole("button", { name: "Render" }).click();
};

/** What is not accessible. */
export const audit = async (page) => {
  await page.evaluate(axe);
  const found = await page.evaluate(() => globalThis.axe.run(document, { iframes: false }));
  assert.ok(found.passes.length > 20, "the audit looked at the page");
  return found.violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.target).join(", ")}`);
};
