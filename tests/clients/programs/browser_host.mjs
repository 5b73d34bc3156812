// A headless Chromium with React pages in it, under the command of a Python test (tests/clients/browser.py).
//
//   node browser_host.mjs /usr/bin/chromium
//
// A page is a file of `pages/`, bundled with esbuild and served from memory on a port of this process: a page
// from anywhere else may not open sockets to 127.0.0.1.

import { build } from "esbuild";
import { once } from "node:events";
import { createServer } from "node:http";
import { chromium } from "playwright-core";
import { commands, print } from "./lines.mjs";

const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

const scripts = new Map();
const server = createServer((request, response) => {
  const address = new URL(request.url, "http://127.0.0.1");
  const script = scripts.get(address.pathname);
  if (script !== undefined) {
    response.setHeader("Content-Type", "text/javascript; charset=utf-8").end(script);
    return;
  }
  const source = JSON.stringify(address.searchParams.get("file"));
  const backend = JSON.stringify(address.searchParams.get("backend"));
  response
    .setHeader("Content-Type", "text/html; charset=utf-8")
    .end(`<!doctype html><div id="root"></div><script>window.BACKEND=${backend}</script><script src=${source}></script>`);
});
server.listen(0, "127.0.0.1");
await once(server, "listening");

const browser = await chromium.launch({ executablePath: process.argv[2], args: FLAGS });
const pages = new Map();

async function bundle(name) {
  const built = await build({
    entryPoints: [`pages/${name}`],
    bundle: true,
    write: false,
    format: "iife",
    jsx: "automatic",
    define: { "process.env.NODE_ENV": '"production"' },
  });
  return built.outputFiles[0].text;
}

const operations = {
  // Open `address`, or a page of ours that is told where the backend is.
  async open({ page: name, id, file, backend, address }) {
    const page = await (await browser.newContext()).newPage();
    page.on("pageerror", (error) => print({ event: "pageerror", page: name, message: String(error) }));
    page.on("console", (message) => {
      console.error(`${name}: ${message.text()}`);
      print({ event: "console", page: name, message: message.text() });
    });
    pages.set(name, page);
    if (file !== undefined) {
      scripts.set(`/${file}`, await bundle(file));
      const query = new URLSearchParams({ file: `/${file}`, backend });
      address = `http://127.0.0.1:${server.address().port}/?${query}`;
    }
    await page.goto(address);
    print({ event: "settled", id, value: null });
  },
  // Wait until an expression is truthy in the page, then give its value.
  async wait({ page, id, expression, seconds }) {
    const shown = pages.get(page);
    const timeout = { timeout: seconds * 1000 };
    const handle = await shown.waitForFunction(expression, undefined, timeout).catch(async (error) => {
      throw new Error(`${expression}: ${error}; the page shows:\n${await shown.innerText("body")}`);
    });
    print({ event: "settled", id, value: await handle.jsonValue() });
  },
  async evaluate({ page, id, expression }) {
    print({ event: "settled", id, value: (await pages.get(page).evaluate(expression)) ?? null });
  },
  async fill({ page, id, label, text }) {
    await pages.get(page).getByLabel(label).fill(text);
    print({ event: "settled", id, value: null });
  },
  async click({ page, id, button }) {
    await pages.get(page).getByRole("button", { name: button }).click();
    print({ event: "settled", id, value: null });
  },
  async press({ page, id, label, key }) {
    await pages.get(page).getByLabel(label).press(key);
    print({ event: "settled", id, value: null });
  },
};

async function obey(command) {
  try {
    await operations[command.op](command);
  } catch (error) {
    print({ event: "settled", id: command.id, error: { message: String(error), isConvexError: false } });
  }
}

print({ event: "ready", version: browser.version() });
await commands(obey);
await browser.close();
server.close();
