// One JSON object a line: commands come in on stdin, events go out on stdout.

import { createInterface } from "node:readline";

export function print(event) {
  process.stdout.write(`${JSON.stringify(event)}\n`);
}

/** Call `obey` with each command, in order, without waiting for what it starts; resolve at the end of input. */
export async function commands(obey) {
  for await (const line of createInterface({ input: process.stdin })) {
    Promise.resolve(obey(JSON.parse(line))).catch((error) => {
      console.error(error);
      process.exit(1);
    });
  }
}
