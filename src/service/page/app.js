// The page: what is chosen, the requests that follow from that, and what is shown of the answers.

import { fetchJson, fetchUrl, send } from "./api.js";
import { Blend } from "./blend.js";
import { showPhoto, showResult } from "./compare.js";
import * as videos from "./videos.js";
import { readPhoto, takePhoto } from "./photo.js";
import { plain, tile } from "./tiles.js";

const MOST_STYLES = 4;
const MOST_HISTORY = 24;
const PICTURES = "image/jpeg,image/png,image/webp,image/gif,image/bmp";
const REDUCED = "The photograph is above the service's limit, and is sent smaller";
const PATIENCE = 250; // milliseconds without a change before a request
const element = (id) => document.getElementById(id);
const about = await fetchJson("/api/about").catch((error) => say(error.message, true));

let photo = null;
let styles = [];
let shown = null; // the result on the stage, {blob, key}
let running = null; // AbortController of the request that runs
let timer = 0;
const past = [];
const blend = new Blend(schedule);

function say(text, bad = false) {
  element("status").textContent = text;
  element("status").classList.toggle("bad", bad);
}

// A line, and after that what is to be known of the photograph with every picture that is made of it
const noting = (text) => [text, photo.full.reduced ? REDUCED : ""].filter(Boolean).join(". ");

// ---- pictures in

async function usePhoto(blob, name) {
  try {
    photo = await readPhoto(blob, name, about);
  } catch (error) {
    say(error.message, true);
    return;
  }
  shown = null;
  element("download").disabled = true;
  showPhoto(photo);
  showSizes();
  say(noting(styles.length ? "" : "Now choose a style"));
  schedule();
}

function showSizes() {
  const { small, full } = photo;
  const sizes = [["small", `As shown, ${small.width} × ${small.height}`], ["full", `Full size, ${full.width} × ${full.height}`]];
  const options = small.width === full.width ? sizes.slice(1) : sizes.reverse();
  element("size").replaceChildren(...options.map(([value, text]) => new Option(text, value)));
}

async function addStyle(blob, name) {
  try {
    const form = new FormData();
    form.append("style", blob);
    say("Reading the style");
    const { style } = await (await send("/api/styles", { method: "POST", body: form }, say)).json();
    if (!element("gallery").querySelector(`[data-id="${style}"]`)) {
      element("gallery").prepend(tile(URL.createObjectURL(blob), name, () => toggle(style), style));
    }
    say("");
    if (!styles.some((chosen) => chosen.id === style)) toggle(style);
  } catch (error) {
    say(error.message, true);
  }
}

function pick(purpose) {
  const input = element("file");
  input.value = "";
  input.dataset.purpose = purpose;
  input.accept = purpose === "video" ? "video/*,image/gif" : PICTURES;
  input.click();
}

element("file").addEventListener("change", (event) => {
  const file = event.target.files[0];
  const use = { style: addStyle, video: videos.useVideo }[event.target.dataset.purpose] ?? usePhoto;
  if (file) use(file, plain(file.name));
});
for (const button of document.querySelectorAll("[data-pick]")) button.addEventListener("click", () => pick(button.dataset.pick));
for (const button of document.querySelectorAll("[data-webcam]")) {
  button.addEventListener("click", async () => {
    try {
      const blob = await takePhoto();
      if (blob) await usePhoto(blob, "webcam");
    } catch (error) {
      say(error.message, true);
    }
  });
}
document.addEventListener("paste", (event) => {
  const file = [...event.clipboardData.files].find((item) => item.type.startsWith("image/"));
  if (file) usePhoto(file, "pasted");
});
for (const kind of ["dragover", "dragleave", "drop"]) {
  document.addEventListener(kind, (event) => {
    event.preventDefault();
    document.body.classList.toggle("over", kind === "dragover");
    const file = kind === "drop" && event.dataTransfer.files[0];
    if (!file) return;
    if (!element("videos").hidden && !file.type.startsWith("image/")) videos.useVideo(file);
    else (event.target.closest("#controls") ? addStyle : usePhoto)(file, plain(file.name));
  });
}

// ---- styles

function toggle(id) {
  const at = styles.findIndex((style) => style.id === id);
  if (at >= 0) {
    styles.splice(at, 1);
  } else if (styles.length === MOST_STYLES) {
    say("Four styles at most: take one away first", true);
    return;
  } else {
    const button = element("gallery").querySelector(`[data-id="${id}"]`);
    styles.push({ id, name: button.textContent, url: button.querySelector("img").src, weight: 0 });
  }
  for (const style of styles) style.weight = 1 / styles.length;
  showStyles();
  schedule();
}

function showStyles() {
  for (const button of element("gallery").querySelectorAll("[data-id]")) {
    const at = styles.findIndex((style) => style.id === button.dataset.id);
    button.setAttribute("aria-pressed", String(at >= 0));
    button.dataset.number = styles.length > 1 ? at + 1 : "✓";
  }
  blend.show(styles);
}

// ---- requests

const colours = () => document.querySelector("[name=colours]:checked").value;
const strength = () => Number(element("strength").value);

function addStyles(form) {
  const used = styles.filter((style) => style.weight > 0);
  for (const style of used) form.append("style", style.id);
  form.append("weights", used.map((style) => style.weight.toFixed(4)).join(","));
  form.append("strength", strength() / 100);
  form.append("colours", colours());
  return used.length > 0;
}

function fields(source, format) {
  const form = new FormData();
  form.append("content", source.blob);
  addStyles(form);
  form.append("format", format);
  return form;
}

const key = (...more) => JSON.stringify([photo.url, styles.map((s) => [s.id, s.weight.toFixed(4)]), strength(), colours(), ...more]);

function schedule() {
  clearTimeout(timer);
  running?.abort();
  if (!photo || !styles.some((style) => style.weight > 0)) {
    element("busy").hidden = true;
    return;
  }
  timer = setTimeout(preview, PATIENCE);
}

async function stylize(source, format) {
  running?.abort();
  const mine = (running = new AbortController());
  element("busy").hidden = false;
  say("Stylising");
  try {
    const began = performance.now();
    const body = fields(source, format);
    const response = await send("/api/stylize", { method: "POST", body, signal: mine.signal }, say);
    const blob = await response.blob();
    say(noting(`Done in ${((performance.now() - began) / 1000).toFixed(1)} s`));
    return blob;
  } catch (error) {
    if (error.name !== "AbortError") say(error.message, true);
    return null;
  } finally {
    if (running === mine) element("busy").hidden = true;
  }
}

async function preview() {
  const wanted = key();
  if (shown?.key === wanted) return;
  const blob = await stylize(photo.small, "png");
  if (!blob) return;
  show({ blob, key: wanted, url: URL.createObjectURL(blob) });
  remember();
}

function show(result) {
  shown = result;
  showResult(result.url);
  element("download").disabled = false;
}

element("download").addEventListener("click", async () => {
  const [size, format] = [element("size").value, element("format").value];
  const source = photo[size];
  const ready = size === "small" && format === "png" && shown.key === key();
  const name = [photo.name, ...styles.map((style) => style.name)].join("_").replace(/[^\w-]+/g, "_").slice(0, 80);
  element("download").disabled = true;
  const blob = ready ? shown.blob : await stylize(source, format);
  element("download").disabled = false;
  if (!blob) return;
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = `${name}.${format === "jpeg" ? "jpg" : format}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  say(noting(`Saved as ${link.download}`));
});

// ---- history

function remember() {
  const entry = { photo, shown, styles: styles.map((s) => ({ ...s })), strength: strength(), colours: colours() };
  const more = styles.length > 1 ? ` +${styles.length - 1}` : "";
  const button = tile(shown.url, `${styles[0].name}${more}, ${strength()} %`, () => restore(entry));
  button.title = [...styles.map((style) => style.name), `strength ${strength()} %`].join(", ");
  past.unshift({ entry, button });
  element("past").hidden = !element("videos").hidden;
  element("history").prepend(button);
  for (const old of past.splice(MOST_HISTORY)) {
    old.button.remove();
    URL.revokeObjectURL(old.entry.shown.url);
  }
}

function restore(entry) {
  clearTimeout(timer);
  running?.abort();
  photo = entry.photo;
  styles = entry.styles.map((style) => ({ ...style }));
  element("strength").value = entry.strength;
  document.querySelector(`[name=colours][value=${entry.colours}]`).checked = true;
  showPhoto(photo);
  showSizes();
  showStyles();
  showStrength();
  show(entry.shown);
  say(noting("Back at an earlier picture"));
}

// ---- controls

function showStrength() {
  const text = `${strength()} %`;
  element("strength-value").textContent = text;
  element("strength").setAttribute("aria-valuetext", text);
}

element("strength").addEventListener("input", () => {
  showStrength();
  schedule();
});
element("colours").addEventListener("change", schedule);
element("even").addEventListener("click", () => blend.even());

// ---- start

async function fill(place, path, list, clicked, ids) {
  for (const { name, picture = true } of list) {
    const url = picture ? await fetchUrl(`${path}/${encodeURIComponent(name)}/picture`) : "/page/icon.svg";
    place.append(tile(url, name, () => clicked(name), ids ? name : null));
  }
}

async function start() {
  if (about.videos) videos.setUp(about, addStyles);
  element("about").textContent = `Model ${about.model}. Up to ${about.max_megapixels} megapixels. Pictures are not kept.`;
  const [{ styles: gallery }, { samples }] = await Promise.all([fetchJson("/api/styles"), fetchJson("/api/samples")]);
  const sample = async (name) => usePhoto(await (await send(`/api/samples/${encodeURIComponent(name)}`)).blob(), name);
  await Promise.all([
    fill(element("gallery"), "/api/styles", gallery, toggle, true),
    fill(element("samples"), "/api/samples", samples, sample, false),
  ]);
  if (about.style_images) {
    const add = document.createElement("button");
    const plus = document.createElement("b");
    plus.textContent = "+";
    add.type = "button";
    add.className = "add";
    add.append(plus, "Your own style");
    add.addEventListener("click", () => pick("style"));
    element("gallery").append(add);
  }
  document.body.dataset.ready = "true";
}

if (about) start().catch((error) => say(error.message, true));
