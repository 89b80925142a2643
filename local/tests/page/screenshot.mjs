// Takes the picture of README: runs the program over its sample, and the page while it works.
//
//   node screenshot.mjs PROGRAM PICTURE

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { launch } from "./browser.mjs";

const [program, picture] = process.argv.slice(2);

/** Enough events to see the charts move, and a quota of which a part is seen to be used. */
const ARGUMENTS = ["--port", "0", "--batch-window-ms", "100", "--events", "60000", "--users", "8000", "--tokens-per-minute", "3000000"];

/** Events after which the picture is taken, while there is still something to do. */
const ENOUGH = 15_000;

const hasDone = (enough) =>
  Number(document.getElementById("flow-processor").textContent.replaceAll(",", "")) >= enough;

/** Chooses a user, and shows the page from its top on. */
const choose = async (page) => {
  await page.locator("#users a").first().click();
  await page.locator("iframe.mail[srcdoc]").waitFor();
  await page.frameLocator("iframe.mail").locator("h1").waitFor();
  await page.evaluate(() => scrollTo(0, 0));
};

/** Looks users up, as Braze does. */
const lookUp = (page) =>
  page.evaluate(async () => {
    const headers = { authorization: `Basic ${btoa("braze:local")}` };
    const { users } = await (await fetch("/local/users")).json();
    for (const { user_id: id } of users) await fetch(`/?user_id=${id}`, { headers });
  });

const child = spawn(program, ARGUMENTS, { stdio: ["ignore", "pipe", "inherit"] });
const lines = createInterface({ input: child.stdout });
const [first] = await once(lines, "line");
const url = first.replace("Watch it at ", "");
const browser = await launch();
try {
  const page = await browser.newPage({ viewport: { width: 1180, height: 1180 }, colorScheme: "light" });
  await page.goto(url);
  await page.waitForFunction(hasDone, ENOUGH, { timeout: 0 });
  await lookUp(page);
  await page.waitForFunction(() => document.getElementById("flow-api").textContent !== "0");
  await choose(page);
  await page.screenshot({ path: picture });
} finally {
  await browser.close();
  child.kill("SIGINT");
}
