// A page's code against an application without a schema or types. Compiled, never run.
import { ConvexHttpClient } from "convex/browser";
import { api } from "./_generated/api.js";
import type { Doc, Id } from "./_generated/dataModel.js";

export async function page(http: ConvexHttpClient, task: Id<"tasks">): Promise<Doc<"tasks">> {
  const tasks = await http.query(api.tasks.list, { task, anything: [1, 2, 3] });
  // @ts-expect-error there is no such function
  await http.query(api.tasks.add, {});
  return tasks[0].title;
}
