// Finds the browser of this machine: tests bring none along.

import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { chromium } from "playwright-core";

const NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

const isProgram = (path) => {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
};

/** Starts the browser, or says what to install. */
export const launch = () => {
  const folders = (process.env.PATH ?? "").split(delimiter);
  const paths = folders.flatMap((folder) => NAMES.map((name) => join(folder, name)));
  const executablePath = paths.find(isProgram);
  if (!executablePath) throw new Error("there is no Chromium: run `make browser`, or install the package chromium");
  return chromium.launch({ executablePath });
};
