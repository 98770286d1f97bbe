// The networks run in worker.js; what is sent there stays on this machine.

const worker = new Worker("worker.js", { type: "module" });
const waiting = new Map();
let asked = 0;

// Sends the worker a task; the promise has its result. `onProgress` is called with the work done and all of it.
export function ask(task, given = {}, onProgress = null) {
  const id = ++asked;
  const moved = given.image ? [given.image.data.buffer] : [];
  worker.postMessage({ id, task, ...given }, moved);
  const answer = new Promise((resolve, reject) => waiting.set(id, { resolve, reject, onProgress }));
  return Object.assign(answer, { id });
}

worker.onmessage = ({ data: { id, result, error, done, all } }) => {
  const { resolve, reject, onProgress } = waiting.get(id);
  if (all) return onProgress?.(done, all);
  waiting.delete(id);
  return error ? reject(new Error(error)) : resolve(result);
};

// Lets the worker end a task, whose promise is then rejected with "cancelled"
export function cancel(answer) {
  worker.postMessage({ task: "cancel", what: answer.id });
}

// Gives `say` a line when the worker can't run at all
export function onFailure(say) {
  worker.onerror = (event) => say(`This browser can't run the network: ${event.message || "no module workers"}`);
}
