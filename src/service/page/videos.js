// The video tab: a video is sent, its progress asked for, cancelled or fetched.

import { fetchUrl, send } from "./api.js";

const ASK = 500; // milliseconds between two questions about the progress
const element = (id) => document.getElementById(id);
let file = null;
let job = null;

export function useVideo(chosen) {
  file = chosen;
  element("video-name").textContent = chosen.name;
  element("video-start").disabled = false;
  say("");
}

export function showTab(name) {
  const video = name === "video";
  for (const button of document.querySelectorAll("[data-tab]")) {
    button.setAttribute("aria-pressed", String(button.dataset.tab === name));
  }
  element("videos").hidden = !video;
  element("stage").hidden = video;
  element("past").hidden = video || !element("history").children.length;
}

function say(text, bad = false) {
  element("video-text").textContent = text;
  element("video-text").classList.toggle("bad", bad);
}

function working(is) {
  element("video-cancel").hidden = element("video-progress").hidden = !is;
  element("video-start").disabled = is || !file;
}

// fill: puts styles, strength and colours into a form, or returns false where no style is chosen
export function setUp(about, fill) {
  element("tabs").hidden = false;
  element("video-limits").textContent =
    `MP4, MOV, WebM, MKV, AVI or GIF; up to ${about.max_video_seconds} seconds and ${about.max_video_megabytes} megabytes`;
  for (const button of document.querySelectorAll("[data-tab]")) button.addEventListener("click", () => showTab(button.dataset.tab));
  element("video-cancel").addEventListener("click", () => job && send(`/api/videos/${job}`, { method: "DELETE" }).catch(() => {}));
  element("video-start").addEventListener("click", () => start(fill).catch((error) => say(error.message, true)).finally(() => working(false)));
}

async function start(fill) {
  const form = new FormData();
  if (!fill(form)) return say("Choose a style first", true);
  form.append("temporal", String(element("temporal").checked));
  form.append("video", file);
  working(true);
  element("video-progress").removeAttribute("value");
  element("video-result").hidden = true;
  say("Sending the video");
  let state = await (await send("/api/videos", { method: "POST", body: form }, say)).json();
  job = state.id;
  while (state.status === "queued" || state.status === "working") {
    await new Promise((resolve) => setTimeout(resolve, ASK));
    state = await (await send(`/api/videos/${job}`)).json();
    if (state.total) element("video-progress").value = state.done / state.total;
    say(state.status === "queued" ? "Waiting for its turn" : `Frame ${state.done} of ${state.total || "?"}, ${state.text}`);
  }
  if (state.status !== "done") return say(state.text, state.status === "failed");
  const url = await fetchUrl(`/api/videos/${job}/result`);
  element("player").src = element("video-save").href = url;
  element("video-save").download = `${file.name.replace(/\.\w+$/, "")}_stylised.mp4`;
  element("video-result").hidden = false;
  say(state.text ? `Done; ${state.text}` : "Done");
}
