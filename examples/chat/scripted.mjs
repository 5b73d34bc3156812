// A short conversation over two official clients, to show what each of them sees and to check it.
//
//   node scripted.mjs [http://127.0.0.1:3210]
//
// Ada and Grace each have a client with a socket of its own. Nothing here polls: every line that starts
// with "sees" is printed because the server told that client. Ends with 0 if both saw what they must.

import { ConvexClient, ConvexHttpClient } from "convex/browser";
import { api } from "./backend/_generated/api.js";

const address = process.argv[2] ?? "http://127.0.0.1:3210";
const DEADLINE_MS = 15_000;
const BOT_DEADLINE_MS = 60_000; // Longer than the bot waits for a service that BOT_URL names.
const OVERALL_MS = 2 * DEADLINE_MS + BOT_DEADLINE_MS;
const isPlain = !process.stdout.isTTY || "NO_COLOR" in process.env;

/** Somebody with a client: remembers the newest answer of each query it watches, and prints on request. */
class Person {
  constructor(name, colour) {
    this.name = name;
    this.colour = colour;
    this.client = new ConvexClient(address);
    this.window = `scripted-${name}-${process.pid}`;
    this.latest = {};
    this.waiting = new Set();
  }

  say(text) {
    const name = this.name.padEnd(6);
    console.log(isPlain ? `${name} ${text}` : `\x1b[${this.colour}m${name}\x1b[0m ${text}`);
  }

  /** Subscribe; every new answer is kept under `label` and wakes whoever waits in `sees`. */
  watch(label, query, args) {
    const keep = (answer) => {
      this.latest[label] = answer;
      for (const look of [...this.waiting]) look();
    };
    this.client.onUpdate(query, args, keep, (error) => keep({ error }));
  }

  /** Wait until the newest answer of `label` is what must be seen, then say so in words. */
  sees(label, isRight, words, deadline = DEADLINE_MS) {
    const started = performance.now();
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.waiting.delete(look);
        const seen = JSON.stringify(this.latest[label]);
        reject(new Error(`${this.name} waited ${deadline / 1000} s for ${label}; the newest is ${seen}`));
      }, deadline);
      const look = () => {
        const answer = this.latest[label];
        if (answer === undefined || answer.error !== undefined || !isRight(answer)) return;
        clearTimeout(timer);
        this.waiting.delete(look);
        this.say(`sees ${words(answer)}  (${(performance.now() - started).toFixed(1)} ms)`);
        resolve(answer);
      };
      this.waiting.add(look);
      look();
    });
  }
}

function must(isTrue, what) {
  if (!isTrue) throw new Error(what);
}

async function converse(ada, grace) {
  const people = [ada, grace];
  const channel = await ada.client.mutation(api.channels.open, { name: "general" });
  ada.say("opens the channel #general");

  for (const person of people) {
    person.watch("channels", api.channels.list_all, {});
    person.watch("messages", api.messages.list_recent, { channel });
    person.watch("present", api.presence.who_is_here, { channel });
    person.watch("typing", api.bot.is_typing, { channel });
  }
  for (const person of people) {
    await person.sees(
      "channels",
      (channels) => channels.some((each) => each._id === channel),
      (channels) => `channels: ${channels.map((each) => `#${each.name}`).join(" ")}`,
    );
  }

  const windows = people.map((person) => person.window);
  const ours = (present) => present.filter((each) => windows.includes(each.client));
  const names = (present) => `here: ${present.map((each) => each.name).join(", ")}`;
  for (const person of people) {
    await person.client.mutation(api.presence.heartbeat, { channel, client: person.window, name: person.name });
  }
  for (const person of people) await person.sees("present", (present) => ours(present).length === 2, names);

  const lines = [
    [ada, "Hello Grace, do you see this?"],
    [grace, "I do, and I never asked again. Ünïcode too: 🌊"],
  ];
  const sent = [];
  for (const [author, body] of lines) {
    author.say(`writes "${body}"`);
    const wrote = author.client.mutation(api.messages.send, { channel, author: author.name, body });
    const isThere = (messages) => messages.at(-1)?.body === body && messages.at(-1)?.author === author.name;
    const quote = (messages) => `"${messages.at(-1).body}" by ${messages.at(-1).author}`;
    await Promise.all(people.map((person) => person.sees("messages", isThere, quote)));
    sent.push(await wrote);
  }

  // An error with data: the backend raises ApplicationError, the client receives a ConvexError.
  const refused = await ada.client
    .mutation(api.messages.send, { channel, author: ada.name, body: "   " })
    .then(() => null, (error) => error);
  must(refused?.data?.code === "empty_message", `an empty message must be refused with data; got ${refused}`);
  ada.say(`is told: ${refused.data.message}`);

  await disappear(ada, people, channel);
  sent.push(...(await askBot(grace, people, channel)));

  await grace.client.mutation(api.presence.leave, { client: grace.window });
  await ada.sees("present", (present) => ours(present).every((each) => each.client === ada.window), names);
  await ada.client.mutation(api.presence.leave, { client: ada.window });

  // The HTTP client reads at one timestamp, and finds what the sockets showed.
  const http = new ConvexHttpClient(address);
  const newestOf = (messages) => messages.slice(-sent.length).map((message) => message._id);
  const newest = newestOf(await http.consistentQuery(api.messages.list_recent, { channel }));
  must(String(newest) === String(sent), `over HTTP the newest messages must be ${sent}; got ${newest}`);
  for (const person of people) {
    const shown = newestOf(person.latest.messages);
    must(String(shown) === String(sent), `${person.name} must hold the messages ${sent}; holds ${shown}`);
  }
  console.log("Both saw the same, live and over HTTP.");
}

/** A message with a lifetime comes to both, and goes from both when a job takes it away. */
async function disappear(author, people, channel) {
  const body = "Psst: this is gone in 5 seconds.";
  author.say(`writes "${body}"`);
  const message = { channel, author: author.name, body, disappear_after: 5 };
  const wrote = author.client.mutation(api.messages.send, message);
  const isShown = (messages) => messages.some((each) => each.body === body);
  await Promise.all(people.map((person) => person.sees("messages", isShown, () => "the whisper")));
  await wrote;
  const isGone = (messages) => !isShown(messages);
  await Promise.all(people.map((person) => person.sees("messages", isGone, () => "that it is gone")));
}

/** An action answers what begins with "@bot"; returns the ids of the question and of the answer. */
async function askBot(author, people, channel) {
  const body = "@bot summary";
  author.say(`asks "${body}"`);
  const question = await author.client.mutation(api.messages.send, { channel, author: author.name, body });
  const isAnswered = (messages) =>
    messages.at(-2)?._id === question && messages.at(-1)?.author === "bot" && messages.at(-1).body !== "";
  const quote = (messages) => `the bot say "${messages.at(-1).body}"`;
  const answered = people.map((person) => person.sees("messages", isAnswered, quote, BOT_DEADLINE_MS));
  const [messages] = await Promise.all(answered);
  await Promise.all(people.map((person) => person.sees("typing", (isTyping) => !isTyping, () => "it rest")));
  return [question, messages.at(-1)._id];
}

const ada = new Person("Ada", 36);
const grace = new Person("Grace", 35);
// A server that is not there keeps a client trying for ever; the script must end all the same.
const overall = setTimeout(() => {
  console.error(`scripted: no end with ${address} in ${OVERALL_MS / 1000} s`);
  process.exit(1);
}, OVERALL_MS);
try {
  await converse(ada, grace);
} catch (error) {
  console.error(`scripted: ${error.message}`);
  process.exitCode = 1;
} finally {
  clearTimeout(overall);
  await Promise.all([ada, grace].map((person) => person.client.close()));
}
