// Requests to the service: with the token, with the service's own words for an error, and again when it says so.

const TOKEN = "style-transfer-token";

export class ServiceError extends Error {}

export async function send(path, options = {}, said = () => {}) {
  for (;;) {
    const token = sessionStorage.getItem(TOKEN);
    const headers = token ? { Authorization: `Bearer ${token}` } : {};
    let response;
    try {
      response = await fetch(path, { ...options, headers });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new ServiceError("The service does not answer. Is it still running?");
    }
    if (response.ok) return response;
    if (response.status === 401) {
      await askToken();
    } else if (response.status === 429) {
      const seconds = Number(response.headers.get("Retry-After")) || 1;
      said(`The service is busy; again in ${seconds} s`);
      await pause(seconds, options.signal);
    } else {
      const body = await response.json().catch(() => ({}));
      throw new ServiceError(body.error || `The service answered ${response.status}`);
    }
  }
}

export async function fetchJson(path) {
  return (await send(path)).json();
}

export async function fetchUrl(path) {
  return URL.createObjectURL(await (await send(path)).blob());
}

function pause(seconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, seconds * 1000);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(new DOMException("stopped", "AbortError"));
    });
  });
}

let asking = null;

function askToken() {
  const dialog = document.getElementById("ask");
  const field = document.getElementById("token");
  asking ??= new Promise((resolve) => {
    field.value = "";
    dialog.addEventListener("close", () => {
      sessionStorage.setItem(TOKEN, field.value);
      asking = null;
      resolve();
    }, { once: true });
    dialog.showModal();
  });
  return asking;
}
