// Takes the picture of README: runs the program over its sample, and the page at its end.
//
//   node screenshot.mjs PROGRAM PICTURE

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { launch } from "./browser.mjs";

const [program, picture] = process.argv.slice(2);

/** Enough events to see the charts move, and a quota that has to be waited for. */
const ARGUMENTS = ["--port", "0", "--events", "30000", "--users", "4000", "--tokens-per-minute", "2000000"];

const child = spawn(program, ARGUMENTS, { stdio: ["ignore", "pipe", "inherit"] });
const lines = createInterface({ input: child.stdout });
const [first] = await once(lines, "line");
const url = first.replace("Watch it at ", "");
const browser = await launch();
try {
  const page = await browser.newPage({ viewport: { width: 1180, height: 1000 }, colorScheme: "light" });
  await page.goto(url);
  await page.locator("#status", { hasText: "all done" }).waitFor({ timeout: 0 });
  await page.screenshot({ path: picture });
} finally {
  await browser.close();
  child.kill("SIGINT");
}
